# What ./headspan and ./dev share: find a JDK 25, install what is missing, mount what is absent, build what changed. Sourced with $top set to the project's root.
# Every step that changes the machine says so; nothing here is done twice.

readonly java_wanted=25
readonly libchdb_version=26.7.3-stable.1
readonly libchdb_sha512_x86_64=5cff7b98caa7739b59a4a432c11f0dedc2d3b073624e61ebdf4a42e66ce8de35a6ba48ca9f62016bad1cd81fe059435cb858ce3235a8a2b408082a81563e70a7
readonly cache_dir=${XDG_CACHE_HOME:-$HOME/.cache}/headspan

if [ -t 2 ]; then
  say() { printf '\033[2m[headspan]\033[0m %s\n' "$*" >&2; }
else
  say() { printf '[headspan] %s\n' "$*" >&2; }
fi
die() { printf '[headspan] %s\n' "$*" >&2; exit 1; }

# --- JDK ---------------------------------------------------------------------------------------------------------------------------------------------------

# Prints the major version of the JDK in directory $1, or fails if it is none (a JRE has no javac).
jdk_major() {
  [ -x "$1/bin/java" ] && [ -x "$1/bin/javac" ] && [ -r "$1/release" ] || return 1
  sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release"
}

# Sets JAVA_HOME to a JDK of at least $java_wanted: the JAVA_HOME given, the java on PATH, then the usual places.
find_jdk() {
  local given=${JAVA_HOME:-} candidate major on_path
  on_path=$(command -v javac) && on_path=$(dirname "$(dirname "$(readlink -f "$on_path")")")
  for candidate in "$given" "$on_path" /usr/lib/jvm/* /opt/java/* /opt/jdk* /usr/local/jdk* "$HOME"/.sdkman/candidates/java/* "$HOME"/.jdks/*; do
    [ -n "$candidate" ] && major=$(jdk_major "$candidate") && [ "${major:-0}" -ge "$java_wanted" ] || continue
    if [ -n "$given" ] && [ "$candidate" != "$given" ]; then
      say "JAVA_HOME is not a JDK $java_wanted ($given); using $candidate"
    fi
    export JAVA_HOME=$candidate
    return 0
  done
  die "no JDK $java_wanted or newer found (looked at JAVA_HOME=${given:-unset}, PATH, the usual directories).
  Remedy: install one, e.g. Eclipse Temurin 25 (package temurin-25-jdk) or your distribution's openjdk-25-jdk-headless, or unpack one anywhere and set JAVA_HOME to it."
}

# --- Debian packages ---------------------------------------------------------------------------------------------------------------------------------------

# Names the package if the thing it gives is not there: need PACKAGE test...
need() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing_packages+=("$package")
}
has_library() { ldconfig -p 2>/dev/null | grep -q "$1"; }

# Packages to build and to run; "test" adds what only the tests use, "kernels" what boots other kernels.
install_packages() {
  local purposes=" $* "
  missing_packages=()
  need maven command -v mvn
  need npm command -v npm
  need make command -v make
  need clang command -v clang
  need llvm command -v llvm-strip
  need libbpf-dev test -e /usr/include/bpf/bpf_helpers.h
  need libbpf1 has_library libbpf.so.1
  need libelf1 has_library libelf.so.1
  need bpftool command -v bpftool
  need runc command -v runc
  need iproute2 command -v ip
  if [[ $purposes = *" test "* ]]; then
    need busybox-static test -x /bin/busybox
    need nginx-light command -v nginx
    need wrk command -v wrk
    need procps command -v pgrep
    need chromium command -v chromium
    need prometheus command -v prometheus
  fi
  if [[ $purposes = *" kernels "* ]]; then
    need qemu-system-x86 command -v qemu-system-x86_64
    need cpio command -v cpio
    need kmod command -v depmod
  fi
  [ ${#missing_packages[@]} -gt 0 ] || return 0
  local install="apt-get install -y --no-install-recommends ${missing_packages[*]}"
  if ! command -v apt-get >/dev/null; then
    die "missing: ${missing_packages[*]} (names of Debian's packages). Install them with this system's package manager, then run this again."
  fi
  if [ "$(id -u)" != 0 ]; then
    die "missing: ${missing_packages[*]}. Run: sudo sh -c 'apt-get update && $install'"
  fi
  say "installing from Debian's packages: ${missing_packages[*]}"
  mkdir -p "$top/target"
  # A repository that can't be reached need not hold what we want, so a failed update is no error; a failed install is.
  # policy-rc.d keeps the packages' services (nginx) from being started: only their programs are wanted.
  local policy=/usr/sbin/policy-rc.d wrote_policy=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && wrote_policy=1
  fi
  apt-get update >"$top/target/apt.log" 2>&1 || say "apt-get update had errors (see target/apt.log); going on"
  local status=0
  DEBIAN_FRONTEND=noninteractive $install >>"$top/target/apt.log" 2>&1 || status=$?
  [ -z "$wrote_policy" ] || rm -f "$policy"
  [ "$status" = 0 ] || die "installing failed; see target/apt.log, or run: $install"
}

# --- The embedded ClickHouse engine ------------------------------------------------------------------------------------------------------------------------

libchdb_path() { echo "$cache_dir/libchdb/$libchdb_version/libchdb.so"; }

install_libchdb() {
  [ -n "${HEADSPAN_LIBCHDB:-}" ] && return 0
  [ -e "$(libchdb_path)" ] && return 0
  local package checksum
  case $(uname -m) in
    x86_64) package=@chdb/lib-linux-x64-gnu checksum=$libchdb_sha512_x86_64 ;;
    aarch64) package=@chdb/lib-linux-arm64-gnu checksum= ;;
    *) die "the embedded ClickHouse engine has no build for $(uname -m); use a ClickHouse server with --store, or set HEADSPAN_LIBCHDB to a libchdb.so" ;;
  esac
  say "getting the embedded ClickHouse engine from npm: $package@$libchdb_version (once, about 170 MB)"
  local work
  mkdir -p "$cache_dir/libchdb"
  work=$(mktemp -d "$cache_dir/libchdb/tmp.XXXXXX")
  (cd "$work" && npm pack --silent "$package@$libchdb_version" >pack.log 2>&1) \
    || { tail -5 "$work/pack.log" >&2; rm -rf "$work"; die "npm could not get $package@$libchdb_version"; }
  local archive
  archive=$(echo "$work"/*.tgz)
  if [ -n "$checksum" ]; then
    local got
    got=$(sha512sum "$archive" | cut -d' ' -f1)
    [ "$got" = "$checksum" ] || { rm -rf "$work"; die "checksum of $package@$libchdb_version is wrong: expected=$checksum, got=$got"; }
  else
    say "no pinned checksum for $package: relying on the registry's own integrity check"
  fi
  tar -xzf "$archive" -C "$work" package/libchdb.so || { rm -rf "$work"; die "no libchdb.so in $package@$libchdb_version"; }
  mkdir -p "$cache_dir/libchdb/$libchdb_version"
  mv "$work/package/libchdb.so" "$(libchdb_path)"
  rm -rf "$work"
}

# --- File systems ------------------------------------------------------------------------------------------------------------------------------------------

is_mounted() { awk -v type="$1" '$3 == type { found = 1 } END { exit !found }' /proc/mounts; }

mount_if_absent() { # type, directory
  is_mounted "$1" && return 0
  mkdir -p "$2" 2>/dev/null
  if mount -t "$1" "$1" "$2" 2>/dev/null; then
    say "mounted $1 at $2 (it was absent)"
  else
    say "could not mount $1 at $2: the probes that need it will be off"
  fi
}

mount_file_systems() {
  [ "$(id -u)" = 0 ] || return 0
  mount_if_absent tracefs /sys/kernel/tracing
  mount_if_absent bpf /sys/fs/bpf
  if ! is_mounted cgroup2; then
    if is_mounted cgroup; then
      mount_if_absent cgroup2 /sys/fs/cgroup/unified
    else
      mount_if_absent cgroup2 /sys/fs/cgroup
    fi
  fi
}

# --- Build -------------------------------------------------------------------------------------------------------------------------------------------------

readonly launcher_stamp=launcher/target/headspan.stamp

# Whether any source is newer than the last build. A directory's time tells of files removed from it.
is_stale() {
  [ -e "$top/$launcher_stamp" ] || return 0
  local newer
  newer=$(cd "$top" && find pom.xml .mvn */pom.xml */src */include launcher/bin query-api/web/src query-api/web/*.mjs query-api/web/package-lock.json -newer "$launcher_stamp" -print -quit)
  [ -n "$newer" ]
}

# Builds the launcher and what it needs, if anything changed since the last time.
build_launcher() {
  is_stale || return 0
  say "building (JDK $(jdk_major "$JAVA_HOME"); the first time also fetches the libraries)"
  mkdir -p "$top/target"
  local log=$top/target/build.log started=$SECONDS
  if ! (cd "$top" && mvn -B -pl launcher -am package -DskipTests -Dspotless.check.skip=true 2>&1) | tee "$log" | show_modules; then
    grep -E 'ERROR|WARNING.*\.java' "$log" | head -40 >&2
    die "the build failed; the whole log is in target/build.log"
  fi
  touch "$top/$launcher_stamp"
  say "built in $((SECONDS - started)) s"
}

# Shows a line a module from Maven's output; its status is Maven's.
show_modules() {
  local line ok=1
  while IFS= read -r line; do
    case $line in
      *'BUILD SUCCESS'*) ok=0 ;;
      *'Building Headspan'*'['*) say "  ${line#*Building }" ;;
    esac
  done
  return $ok
}

java_flags() {
  echo --enable-native-access=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow
}

# Further flags for role $1, as RoleProcess gives them too: ours, then the user's.
role_flags() {
  local file=$top/launcher/target/classes/io/headspan/launcher/$1.args own=HEADSPAN_JAVA_OPTIONS_${1^^}
  case $own in *[!A-Z_]*) own= ;; esac
  if [ -r "$file" ]; then echo "@$file"; else echo -XX:+UseSerialGC; fi
  [ -z "$own" ] || echo "${!own:-}"
}

# What the agent has a use for: loading and attaching, then maps, others' processes and files, precedence. No CAP_SYS_ADMIN.
readonly agent_capabilities=bpf,perfmon,net_admin,sys_ptrace,dac_read_search,sys_nice

# What role $1 is started by, if anything. Each thread can only lay down its own capabilities, and those of the Java runtime do not: so root's agent begins without the rest.
role_prefix() {
  [ "$1" = agent ] && [ "$(id -u)" = 0 ] || return 0
  local prefix="setpriv --bounding-set -all,+${agent_capabilities//,/,+} --inh-caps -all"
  if $prefix true 2>/dev/null; then
    echo "$prefix"
  else
    say "setpriv cannot lay down capabilities here: the threads of the Java runtime keep all that this process has"
  fi
}

launcher_classpath() { echo "$top/launcher/target/headspan-launcher.jar:$top/launcher/target/lib/*"; }

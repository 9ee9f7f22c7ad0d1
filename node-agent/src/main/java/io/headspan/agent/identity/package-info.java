/// Who runs behind a socket: from cgroup and port to container, process or Wasm function, and from
/// there to tenant, function and version, by what the platform says about them. Starting point:
/// [io.headspan.agent.identity.Identities].
@NullMarked
package io.headspan.agent.identity;

import org.jspecify.annotations.NullMarked;

package io.headspan.agent.invocation;

import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Learns which segments of a function's paths are names of its interface and which are values.
///
/// The paths form a tree, a level per segment. What looks like a value by its form ([PathSegment])
/// is `{id}` or `{date}` at once. Of the rest, a place in the tree believes the first
/// [#TRUSTED_NAMES] different segments to be names. More of them than that need evidence: a segment
/// is a name if it alone makes at least one in [#SHARE] of the requests that come to its place, and
/// has come [#PROOF] times; all others are `{name}`. Those that were believed and have not come
/// [#PROOF] times by then lose their place again. Values are many and each is rare, so they never
/// prove themselves, whatever they look like; and a place that has once seen too many never trusts
/// again, so its templates settle.
///
/// Which segments are frequent is counted in bounded room by the algorithm of Misra and Gries
/// (Finding repeated elements, 1982): with [#SHARE] counters, whatever makes more than one in
/// [#SHARE] keeps a counter.
final class PathTemplates {
  static final int TRUSTED_NAMES = 24;
  static final int SHARE = 64;
  static final int PROOF = 8;

  /// Paths with more segments have no template.
  static final int SEGMENTS_MAX = 24;

  /// Most places of one function; a path that needs more has no template.
  static final int PLACES_MAX = 2_000;

  private final Place root = new Place();
  private int places = 1;

  /// What can come at one place: below one beginning of paths.
  private static final class Place {
    final Map<String, Place> names = new HashMap<>();
    @Nullable Place ids;
    @Nullable Place dates;

    /// Behind `{name}`; there if and only if more segments came than are trusted.
    @Nullable Place others;

    final Map<String, Integer> candidates = new HashMap<>();

    /// Requests that came to this place since `others` is there.
    long hits;

    /// Requests that came through this place.
    int visits;
  }

  /// How many places are remembered.
  int places() {
    return places;
  }

  /// The template of `path`; null if it is too deep or the function has too many places.
  @Nullable String of(String path) {
    if (path.isEmpty() || path.charAt(0) != '/') {
      return path;
    }
    StringBuilder template = new StringBuilder(path.length());
    Place place = root;
    int from = 1;
    for (int depth = 0; depth < SEGMENTS_MAX; depth++) {
      int to = path.indexOf('/', from);
      if (to < 0) {
        to = path.length();
      }
      template.append('/');
      Place next = next(place, path, from, to, template);
      if (next == null) {
        return null;
      }
      next.visits++;
      place = next;
      if (to == path.length()) {
        return template.toString();
      }
      from = to + 1;
    }
    return null;
  }

  /// Goes one segment on and appends what stands for it.
  private @Nullable Place next(Place place, String path, int from, int to, StringBuilder template) {
    return switch (PathSegment.of(path, from, to)) {
      case ID -> {
        template.append("{id}");
        if (place.ids == null) {
          place.ids = newPlace();
        }
        yield place.ids;
      }
      case DATE -> {
        template.append("{date}");
        if (place.dates == null) {
          place.dates = newPlace();
        }
        yield place.dates;
      }
      case NAME -> nextOfName(place, path.substring(from, to), template);
    };
  }

  private @Nullable Place nextOfName(Place place, String name, StringBuilder template) {
    if (place.others != null) {
      place.hits++;
    }
    Place known = place.names.get(name);
    // An empty segment is the end of a path with a slash behind, or a slash too many.
    if (known == null
        && (name.isEmpty()
            || (place.others == null && place.names.size() < TRUSTED_NAMES)
            || isProven(place, name))) {
      known = newPlace();
      if (known != null) {
        place.names.put(name, known);
      }
    }
    if (known != null) {
      template.append(name);
      return known;
    }
    if (place.others == null) {
      place.others = newPlace();
      if (place.others == null) {
        return null;
      }
      dropUnproven(place);
    }
    template.append("{name}");
    return place.others;
  }

  /// Counts a segment that has no place of its own.
  private static boolean isProven(Place place, String name) {
    if (place.others == null) {
      return false;
    }
    Map<String, Integer> candidates = place.candidates;
    Integer counted = candidates.get(name);
    if (counted != null) {
      int count = counted + 1;
      if (count >= PROOF && (long) count * SHARE >= place.hits && place.names.size() < SHARE) {
        candidates.remove(name);
        return true;
      }
      candidates.put(name, count);
    } else if (candidates.size() < SHARE) {
      candidates.put(name, 1);
    } else {
      candidates.replaceAll((_, count) -> count - 1);
      candidates.values().removeIf(count -> count == 0);
    }
    return false;
  }

  private void dropUnproven(Place place) {
    for (Iterator<Map.Entry<String, Place>> it = place.names.entrySet().iterator();
        it.hasNext(); ) {
      Map.Entry<String, Place> entry = it.next();
      Place child = entry.getValue();
      if (child.visits < PROOF && !entry.getKey().isEmpty()) {
        it.remove();
        places -= size(child);
        place.candidates.put(entry.getKey(), child.visits);
      }
    }
  }

  private @Nullable Place newPlace() {
    if (places >= PLACES_MAX) {
      return null;
    }
    places++;
    return new Place();
  }

  private static int size(Place place) {
    int size = 1;
    for (Place child : place.names.values()) {
      size += size(child);
    }
    size += place.ids == null ? 0 : size(place.ids);
    size += place.dates == null ? 0 : size(place.dates);
    return size + (place.others == null ? 0 : size(place.others));
  }
}

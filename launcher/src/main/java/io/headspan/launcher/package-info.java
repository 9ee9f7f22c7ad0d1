/// The one `headspan` program: a role per subcommand. Starting point:
/// [io.headspan.launcher.Headspan].
@NullMarked
package io.headspan.launcher;

import org.jspecify.annotations.NullMarked;

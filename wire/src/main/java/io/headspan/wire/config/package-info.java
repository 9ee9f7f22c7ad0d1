/// How every application of Headspan is configured: defaults, then a YAML file, then the
/// environment, then the command line, each laid over what comes before. Starting points:
/// [io.headspan.wire.config.SettingSources] and [io.headspan.wire.config.Settings].
@NullMarked
package io.headspan.wire.config;

import org.jspecify.annotations.NullMarked;

package io.headspan.wire.tls;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// PEM files of one side of TLS.
///
/// @param authorities whom to trust; null for whom the JVM trusts
/// @param certificate the own certificate and those between it and its authority; null for none
/// @param key its key, PKCS#8; null for none
public record TlsPaths(
    @Nullable Path authorities, @Nullable Path certificate, @Nullable Path key) {}

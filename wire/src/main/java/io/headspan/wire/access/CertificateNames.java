package io.headspan.wire.access;

import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import javax.naming.InvalidNameException;
import javax.naming.ldap.LdapName;
import javax.naming.ldap.Rdn;

/// By which names a client certificate goes.
public final class CertificateNames {
  private static final int DNS = 2;
  private static final int URI = 6;

  private CertificateNames() {}

  /// Its DNS names and URIs (SPIFFE ids); its common name only if it has none of them, as RFC 6125
  /// asks.
  public static List<String> of(X509Certificate certificate) {
    List<String> names = new ArrayList<>();
    try {
      Collection<List<?>> alternatives = certificate.getSubjectAlternativeNames();
      if (alternatives != null) {
        for (List<?> each : alternatives) {
          int kind = (Integer) each.get(0);
          if (kind == DNS || kind == URI) {
            names.add((String) each.get(1));
          }
        }
      }
      if (names.isEmpty()) {
        for (Rdn each : new LdapName(certificate.getSubjectX500Principal().getName()).getRdns()) {
          if (each.getType().equalsIgnoreCase("CN")) {
            names.add(String.valueOf(each.getValue()));
          }
        }
      }
    } catch (CertificateParsingException | InvalidNameException _) {
      // A certificate whose names cannot be read has none.
      return List.of();
    }
    return List.copyOf(names);
  }
}

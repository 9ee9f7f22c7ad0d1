package io.headspan.agent.ledger;

/// Where spans are that the collector has not acknowledged.
public enum Place {
  MEMORY,
  SPOOL
}

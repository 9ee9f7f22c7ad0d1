package io.headspan.agent.governor;

/// What the agent may use.
///
/// @param cores processors, of the agent's own threads together; 0 for no limit
/// @param memoryBytes what lives in memory, as far as Java knows; 0 for no limit
public record Budget(double cores, long memoryBytes) {}

package io.headspan.agent.governor;

/// What the agent uses.
///
/// @param cores processors, since the measurement before
/// @param memoryBytes what lives in memory
public record Use(double cores, long memoryBytes) {}

package io.headspan.agent.invocation;

/// A call that was made by the thread that served an invocation, and nothing else, from its pickup
/// to its answer. Both are named by socket, as the kernel knows them.
///
/// @param callCookie of the socket on which the call left
/// @param headSequence of the call's first byte
/// @param invocationCookie of the socket from which the request was read
/// @param pickupNs when it was read (CLOCK_MONOTONIC)
public record CallOfThread(
    long callCookie, int headSequence, long invocationCookie, long pickupNs) {}

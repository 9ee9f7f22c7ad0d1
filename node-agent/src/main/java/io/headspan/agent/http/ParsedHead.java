package io.headspan.agent.http;

/// What [RequestHead#parse] made of a request's first bytes.
public sealed interface ParsedHead permits RequestHead, UnreadableHead {}

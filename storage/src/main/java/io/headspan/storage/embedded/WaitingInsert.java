package io.headspan.storage.embedded;

import java.util.concurrent.CompletableFuture;

/// An INSERT whose rows are here and which waits to be carried out.
///
/// @param token what its sender knows it by
/// @param done completes with [EngineException] if it was not stored
record WaitingInsert(
    InsertForm form, String token, InsertData data, CompletableFuture<StatementSummary> done) {}

/// What listens: OTel-Arrow streams and OTLP over gRPC and HTTP. Starting point:
/// [io.headspan.collector.receive.Receivers], which puts all of them on one Armeria server.
///
/// A receiver takes a message off the wire still compressed, expands and decodes it on a decode
/// thread, hands the spans to [io.headspan.collector.ingest.Ingest] and answers once that has
/// stored them. Event loops never wait and never decode.
@NullMarked
package io.headspan.collector.receive;

import org.jspecify.annotations.NullMarked;

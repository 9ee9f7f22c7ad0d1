package io.headspan.agent.probe.http;

import java.util.Locale;

/// What the HTTP probe counts. The first ones are counted in the kernel, under the numbers of `enum
/// http_counter` in events.h (checked by LayoutsMatchBtfTest); the others when exchanges are put
/// together.
public enum HttpCounter {
  /// Accepted connections that are followed.
  SERVER_CONNECTIONS(0),
  /// Outgoing connections that are followed.
  CLIENT_CONNECTIONS(1),
  /// Connections left because their first bytes are no HTTP/1 method.
  NOT_HTTP(2),
  /// Connections left because they carry TLS.
  TLS(3),
  /// Connections that carry HTTP/2.
  HTTP2(4),
  /// Connections left because an answer came before any request.
  SERVER_FIRST(5),
  /// Connections left because an answer is no HTTP/1 response.
  NO_RESPONSE_HEAD(6),
  /// Connections left after `101 Switching Protocols`.
  UPGRADED(7),
  /// Connections not followed because the kernel had no memory for their state.
  STORAGE_FAILED(8),
  /// Exchanges lost because the ring was full.
  EXCHANGE_DROPPED(9),
  /// Ends of responses lost because the ring was full: those exchanges may last too short.
  TAIL_DROPPED(10),
  /// Parts of long heads lost because the ring was full.
  HEAD_PART_DROPPED(11),
  /// Segments at a place where a head could begin and none did: bodies answered early.
  BYTES_NOT_HEAD(12),
  /// Segments too far ahead of their connection to belong to it.
  SEQUENCE_REFUSED(13),
  /// Heads that came with the last packet of their connection's handshake.
  EARLY_HEADS(14),
  /// Outgoing connections that their server cannot recognise as of this node; too many.
  CLIENT_NOT_MARKED(15),
  /// Connections in cgroups whose open exchanges are not counted; too many.
  CGROUP_NOT_COUNTED(16),
  /// Connections left because the server has bytes of a request that the probe has not seen.
  REQUEST_LOST(17),
  /// Transcripts left because the ring was full and a record of them was lost.
  BYTES_DROPPED(18),
  /// Connections left because they turned out to be HTTP/2 when their beginning was gone.
  TRANSCRIPT_LOST(19),
  /// How often the kernel lost track of where the frames of a transcript begin, because packets
  /// came out of order, and handed on everything.
  TRANSCRIPT_RAW(20),
  /// Transcripts left because that lasted for too long.
  TRANSCRIPT_TOO_LONG(21),
  /// Outgoing connections that carry no HTTP and are followed by turns.
  BY_TURNS(22),
  /// Connections with requests that did not wait for the answer to the one before, read from their
  /// bytes.
  PIPELINES(23),

  /// Accepted connections that were there before the probe. Nothing of them is reported: what is
  /// under way on them is not known.
  OLDER_CONNECTIONS,
  /// Exchanges reported.
  EXCHANGES,
  /// Exchanges not reported because requests were pipelined on their connection in a way that was
  /// noticed too late, or their connection was given up: which response belongs to which request is
  /// not known there any more.
  PIPELINED,
  /// Heads that lay inside of a request's body and so were none.
  BODY_AS_HEAD,
  /// Connections that ended in the middle of a head, which nobody answered.
  UNFINISHED_HEADS,
  /// Responses of unknown length that were taken as whole because nothing followed for a while.
  QUIET_ENDS,
  /// Exchanges not reported because the end of their response was not seen.
  LOST_TAILS,
  /// Parts of long heads not kept because there were too many.
  PARTS_REFUSED,
  /// HTTP/2 connections given up, or at their end, because bytes of them are missing.
  HTTP2_BYTES_MISSING,
  /// HTTP/2 connections given up because what they carry is not HTTP/2, or not as the RFCs have it.
  HTTP2_MALFORMED,
  /// Connections with pipelined requests given up, or at their end, because bytes of them are
  /// missing.
  PIPELINE_BYTES_MISSING,
  /// Connections with pipelined requests given up because what they carry is not HTTP/1.1, or not
  /// as the RFCs have it, or goes over to something else.
  PIPELINE_UNREADABLE,
  /// Connections that are read from their bytes given up because there are too many.
  TRANSCRIPTS_FORGOTTEN,
  /// Requests that were open on HTTP/2 connections that were given up.
  HTTP2_STREAMS_LOST,
  /// Records of the ring that could not be read, or whose exchange could not be handed on.
  FAILED_RECORDS;

  private static final int NOT_IN_KERNEL = -1;

  private final int kernelIndex;

  HttpCounter() {
    this(NOT_IN_KERNEL);
  }

  HttpCounter(int kernelIndex) {
    this.kernelIndex = kernelIndex;
  }

  boolean isInKernel() {
    return kernelIndex != NOT_IN_KERNEL;
  }

  /// Index in the kernel's array, if it is counted there.
  int kernelIndex() {
    return kernelIndex;
  }

  /// The name as metrics have it.
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}

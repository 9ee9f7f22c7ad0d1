package io.headspan.collector.receive;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import com.linecorp.armeria.common.MediaType;
import io.headspan.wire.otlp.OtlpJson;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// In what form an OTLP message stands in a body. An answer has the form of its request.
enum OtlpForm {
  PROTOBUF("application/x-protobuf") {
    @Override
    <M extends Message> M read(ByteString bytes, M empty) {
      @SuppressWarnings("unchecked") // a type's parser gives that type
      M message = (M) EncodedMessage.parse(empty.getParserForType(), bytes);
      return message;
    }

    @Override
    byte[] write(Message message) {
      return message.toByteArray();
    }
  },

  JSON("application/json") {
    @Override
    <M extends Message> M read(ByteString bytes, M empty) {
      return OtlpJson.read(bytes, empty);
    }

    @Override
    byte[] write(Message message) {
      return OtlpJson.write(message);
    }
  };

  private final String mediaType;

  OtlpForm(String mediaType) {
    this.mediaType = mediaType;
  }

  /// The form that a content type names, whatever its parameters; empty if it names none.
  static Optional<OtlpForm> of(@Nullable MediaType contentType) {
    for (OtlpForm form : values()) {
      if (contentType != null && contentType.is(form.mediaType())) {
        return Optional.of(form);
      }
    }
    return Optional.empty();
  }

  MediaType mediaType() {
    return MediaType.parse(mediaType);
  }

  /// Reads a message of the type of `empty`.
  ///
  /// @throws MessageException or io.headspan.wire.WireException if it is none
  abstract <M extends Message> M read(ByteString bytes, M empty);

  abstract byte[] write(Message message);
}

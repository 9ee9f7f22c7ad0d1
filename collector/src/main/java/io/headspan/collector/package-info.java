/// The collector: receives spans as OTel-Arrow and OTLP, stores them in ClickHouse, answers when
/// ClickHouse has them. Starting points: [io.headspan.collector.Collector] and
/// [io.headspan.collector.CollectorConfig].
@NullMarked
package io.headspan.collector;

import org.jspecify.annotations.NullMarked;

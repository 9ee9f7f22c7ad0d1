-- The strings, ints, doubles and bools directly within slices, a row each under the slice's key, as
-- text: a query cannot look into CBOR.
ALTER TABLE spans
    ADD COLUMN IF NOT EXISTS elements Array(Tuple(key LowCardinality(String), type UInt8, value String))
    CODEC(ZSTD(1)) AFTER other;

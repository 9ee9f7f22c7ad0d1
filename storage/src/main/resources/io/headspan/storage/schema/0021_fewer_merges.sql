-- To merge spans costs twice as much as to insert them: seldom, then, and many parts at once (docs/figures.md).
ALTER TABLE kept_spans MODIFY SETTING merge_selector_base = 15;

ALTER TABLE recent_spans MODIFY SETTING merge_selector_base = 15;

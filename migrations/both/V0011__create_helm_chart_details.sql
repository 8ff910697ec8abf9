-- Without a foreign key: the row must not stand in the way of a DELETE or TRUNCATE of helm_charts.
CREATE TABLE helm_chart_details (
    chart_id uuid PRIMARY KEY,
    adopted boolean NOT NULL DEFAULT false,
    parsed_with bigint NOT NULL DEFAULT 0
);

-- The charts that are behind the tag formats, in pages.
CREATE INDEX helm_chart_details_parsed_with_idx ON helm_chart_details (parsed_with, chart_id);

COMMENT ON TABLE helm_chart_details IS
    'What discovery knows of a row of helm_charts beside its columns. A chart row without one was written by hand.';
COMMENT ON COLUMN helm_chart_details.adopted IS
    'Whether the predecessor wrote the chart row. Discovery replaces what it wrote only when a rescan asks for it.';
COMMENT ON COLUMN helm_chart_details.parsed_with IS
    'Version of the tag formats that the parsed_ columns were made with; 0: none.';

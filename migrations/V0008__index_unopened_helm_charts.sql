-- Charts that nobody has looked into: rows of versions that did not. Empty once they have been.
CREATE INDEX helm_charts_unopened_idx ON helm_charts (image_digest) WHERE chart_name IS NULL AND error IS NULL;

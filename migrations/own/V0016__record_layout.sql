INSERT INTO discovery_layout (layout) VALUES ('own');

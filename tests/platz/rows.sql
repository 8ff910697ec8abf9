-- Rows as Platz's chart-discovery leaves them behind: moved tags and repeated events, digests that it made up, charts that
-- are BROKEN for a fault of the network, and both ways to fill the parsed columns. Deployments and tasks hold chart ids.
INSERT INTO helm_tag_formats (id, created_at, pattern) VALUES
('f0000000-0000-4000-8000-000000000001', '2025-01-01', '^(?P<version>\d+\.\d+\.\d+)$'),
(
    'f0000000-0000-4000-8000-000000000002', '2025-01-02',
    '^(?P<version>\d+\.\d+\.\d+)-(?P<branch>[a-z]+)\.(?P<commit>[0-9a-f]{7})$'
);

INSERT INTO deployment_kinds (id, name) VALUES
('d0000000-0000-4000-8000-000000000001', 'Orders'),
('d0000000-0000-4000-8000-000000000002', 'MyOrg/PaymentsApi'),
('d0000000-0000-4000-8000-000000000003', '');

INSERT INTO helm_registries (id, created_at, domain_name, repo_name, kind_id, provider) VALUES
(
    'a0000000-0000-4000-8000-000000000001', '2025-02-01', 'registry.example', 'my-org/orders-chart',
    'd0000000-0000-4000-8000-000000000001', 'Oci'
),
(
    'a0000000-0000-4000-8000-000000000002', '2025-02-02', 'registry.example', 'my-org/payments-api',
    'd0000000-0000-4000-8000-000000000002', 'Oci'
),
(
    'a0000000-0000-4000-8000-000000000003', '2025-02-03', '123456789012.dkr.ecr.eu-west-1.amazonaws.com', 'charts',
    'd0000000-0000-4000-8000-000000000003', 'Ecr'
);

-- Chart.yaml could be read: its version and no revision. The last of the three has branch and commit from its annotations.
INSERT INTO helm_charts
(id, created_at, helm_registry_id, image_digest, image_tag, values_ui, parsed_version, parsed_branch, parsed_commit)
VALUES
(
    'c0000000-0000-4000-8000-000000000001', '2025-03-01', 'a0000000-0000-4000-8000-000000000001',
    'sha256:' || repeat('1', 64), '1.9.0', '{"inputs": []}', '1.9.0', '', ''
),
(
    'c0000000-0000-4000-8000-000000000002', '2025-03-02', 'a0000000-0000-4000-8000-000000000001',
    'sha256:' || repeat('2', 64), '1.10.0', '{"inputs": []}', '1.10.0', '', ''
),
(
    'c0000000-0000-4000-8000-000000000003', '2025-03-03', 'a0000000-0000-4000-8000-000000000002',
    'sha256:' || repeat('3', 64), '0.4.0', NULL, '0.4.0', 'main', '0123abc'
);
-- The format tells branch and commit where the chart has no annotations; a group that took no part is ''.
UPDATE helm_charts SET tag_format_id = 'f0000000-0000-4000-8000-000000000001'
WHERE id IN ('c0000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000002');

-- Charts that could not be read have everything from the format. The first error is the network's, the second is long.
INSERT INTO helm_charts
(
    id, created_at, helm_registry_id, image_digest, image_tag, error, tag_format_id, parsed_version, parsed_revision,
    parsed_branch, parsed_commit
)
VALUES
(
    'c0000000-0000-4000-8000-000000000004', '2025-03-04', 'a0000000-0000-4000-8000-000000000001',
    'sha256:' || repeat('4', 64), '2.3.0', 'Expected exactly one folder after exporting chart, found 0',
    'f0000000-0000-4000-8000-000000000001', '2.3.0', '', '', ''
),
(
    'c0000000-0000-4000-8000-000000000005', '2025-03-05', 'a0000000-0000-4000-8000-000000000001',
    'sha256:' || repeat('5', 64), '2.4.0-main.89abcde', repeat('helm failed, and said a lot. ', 107),
    'f0000000-0000-4000-8000-000000000002', '2.4.0', '', 'main', '89abcde'
);

-- A moved tag left the row of the old digest available.
INSERT INTO helm_charts (id, created_at, helm_registry_id, image_digest, image_tag, parsed_version, parsed_branch, parsed_commit)
VALUES
(
    'c0000000-0000-4000-8000-000000000006', '2025-03-06', 'a0000000-0000-4000-8000-000000000002',
    'sha256:' || repeat('6', 64), 'latest', '0.5.0', '', ''
),
(
    'c0000000-0000-4000-8000-000000000007', '2025-03-07', 'a0000000-0000-4000-8000-000000000002',
    'sha256:' || repeat('7', 64), 'latest', '0.6.0', '', ''
);

-- One event, delivered three times, made three rows.
INSERT INTO helm_charts (id, created_at, helm_registry_id, image_digest, image_tag, parsed_version, parsed_branch, parsed_commit)
SELECT ('c0000000-0000-4000-8000-00000000001' || n)::uuid, '2025-03-08', 'a0000000-0000-4000-8000-000000000003',
    'sha256:' || repeat('8', 64), '3.0.0', '3.0.0', '', ''
FROM generate_series(1, 3) AS n;

-- A digest that was made up, of 200 bytes.
INSERT INTO helm_charts (id, created_at, helm_registry_id, image_digest, image_tag, parsed_version, parsed_branch, parsed_commit)
VALUES
(
    'c0000000-0000-4000-8000-000000000020', '2025-03-09', 'a0000000-0000-4000-8000-000000000002',
    'oci-pseudo:my-org/payments-api:0.7.0:' || repeat('9', 163), '0.7.0', '0.7.0', '', ''
);
-- A chart that is gone.
INSERT INTO helm_charts
(id, created_at, helm_registry_id, image_digest, image_tag, available, parsed_version, parsed_branch, parsed_commit)
VALUES
(
    'c0000000-0000-4000-8000-000000000021', '2025-03-10', 'a0000000-0000-4000-8000-000000000001',
    'sha256:' || repeat('a', 64), '0.1.0', false, '0.1.0', '', ''
);

INSERT INTO envs (id, name) VALUES ('e0000000-0000-4000-8000-000000000001', 'production');
INSERT INTO deployments (id, name, kind_id, env_id, helm_chart_id) VALUES
(
    'b0000000-0000-4000-8000-000000000001', 'orders', 'd0000000-0000-4000-8000-000000000001',
    'e0000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000001'
),
(
    'b0000000-0000-4000-8000-000000000002', 'payments', 'd0000000-0000-4000-8000-000000000002',
    'e0000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000006'
),
(
    'b0000000-0000-4000-8000-000000000003', 'twice', 'd0000000-0000-4000-8000-000000000003',
    'e0000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000012'
);
INSERT INTO deployment_tasks (deployment_id, operation) VALUES
(
    'b0000000-0000-4000-8000-000000000001',
    '{"Upgrade": {"prev_helm_chart_id": "c0000000-0000-4000-8000-000000000021", "helm_chart_id": "c0000000-0000-4000-8000-000000000001"}}'
),
('b0000000-0000-4000-8000-000000000002', '{"Install": {"helm_chart_id": "c0000000-0000-4000-8000-000000000006"}}');
INSERT INTO deployment_permissions (env_id, kind_id, role)
VALUES ('e0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000001', 'Owner');
INSERT INTO deployment_resource_types (deployment_kind_id, key)
VALUES ('d0000000-0000-4000-8000-000000000001', 'queue');

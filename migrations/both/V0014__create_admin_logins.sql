CREATE TABLE admin_logins (
    state_hash text PRIMARY KEY,
    expires_at timestamptz NOT NULL
);

COMMENT ON TABLE admin_logins IS
    'Logins that were completed within the last minutes, so that none is completed twice. An expired row has no use.';
COMMENT ON COLUMN admin_logins.state_hash IS 'SHA-256 of the state that the provider sent back.';

CREATE TABLE admin_logins (
    state_hash text PRIMARY KEY,
    expires_at timestamptz NOT NULL
);

COMMENT ON TABLE admin_logins IS
    'Logins that were ended lately, so that none is ended twice. A row is of no use once it has expired.';
COMMENT ON COLUMN admin_logins.state_hash IS 'SHA-256 of the state that the provider sent back.';

-- Claim codes: what a device shows to be made and given its own credential. The code itself is stored nowhere.
CREATE TABLE claim(
    id {autoid},
    name {text} NOT NULL,
    hash {blob} NOT NULL UNIQUE,
    profile {text} NOT NULL,
    vendor {text} NOT NULL,
    prefix {text} NOT NULL,
    accepts {int} NOT NULL,
    uses_max {int} NOT NULL,
    uses {int} NOT NULL,
    created {int} NOT NULL,
    expires {int} NOT NULL,
    revoked {int} NOT NULL,
    author {text} NOT NULL
) {strict};
-- Who was made by which.
CREATE TABLE claim_use(
    id {autoid},
    claim {int} NOT NULL REFERENCES claim(id),
    at {int} NOT NULL,
    serial {text} NOT NULL,
    device {int} NOT NULL,
    origin {text} NOT NULL
) {strict};
CREATE INDEX claim_use_by_claim ON claim_use(claim, id);

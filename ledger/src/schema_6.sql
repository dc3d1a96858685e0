-- Drafts of rules on their way to becoming live, with every step and who made it.
CREATE TABLE rule_draft(
    id {autoid},
    code {text} NOT NULL,
    base {int} NOT NULL,
    state {text} NOT NULL,
    text {text} NOT NULL,
    tests {text} NOT NULL,
    author {text} NOT NULL,
    created {int} NOT NULL,
    changed {int} NOT NULL
) {strict};
CREATE INDEX rule_draft_by_code ON rule_draft(code, id);
CREATE TABLE rule_draft_step(
    draft {int} NOT NULL REFERENCES rule_draft(id),
    number {int} NOT NULL,
    at {int} NOT NULL,
    who {text} NOT NULL,
    what {text} NOT NULL,
    digest {text} NOT NULL,
    note {text} NOT NULL,
    PRIMARY KEY(draft, number)
) {strict};

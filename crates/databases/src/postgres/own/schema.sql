-- Everything of Ripcord's in a target database. Nobody but its owner may look into it, because
-- what is kept may be what somebody must not see.
CREATE SCHEMA ripcord;
REVOKE ALL ON SCHEMA ripcord FROM PUBLIC;

-- One row: which database this is, and who may still write into it.
CREATE TABLE ripcord.database (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    format integer NOT NULL,
    incarnation text NOT NULL,
    fence bigint NOT NULL DEFAULT 0,
    identity text,
    made_at timestamptz NOT NULL DEFAULT now()
);

-- Each time a migration ran forward, with all that taking it back needs.
CREATE TABLE ripcord.applied (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    history text NOT NULL,
    version text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('versioned', 'repeatable', 'baseline')),
    checksum text NOT NULL,
    up text NOT NULL,
    down text,
    run text NOT NULL,
    delta jsonb,
    state text NOT NULL CHECK (state IN ('running', 'applied', 'undoing', 'undone')),
    statement integer NOT NULL DEFAULT 0,
    intent jsonb,
    applied_by text NOT NULL DEFAULT session_user,
    applied_at timestamptz NOT NULL DEFAULT now(),
    undone_at timestamptz
);
CREATE INDEX applied_by_version ON ripcord.applied (history, version);

-- What a run set aside.
CREATE TABLE ripcord.kept (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    applied bigint NOT NULL REFERENCES ripcord.applied (id),
    direction text NOT NULL CHECK (direction IN ('up', 'down')),
    ordinal integer NOT NULL,
    relation text NOT NULL,
    item jsonb NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL DEFAULT 0,
    checksum text,
    kept_at timestamptz NOT NULL DEFAULT now(),
    restored_at timestamptz,
    purged_at timestamptz,
    purged_by text,
    purged_why text
);
CREATE INDEX kept_by_applied ON ripcord.kept (applied, direction, ordinal);

-- The order in which rows changed, over a whole run.
CREATE SEQUENCE ripcord.at;

-- Whether a run with this key was committed, or must never be.
CREATE TABLE ripcord.marker (
    key text PRIMARY KEY,
    done boolean NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);

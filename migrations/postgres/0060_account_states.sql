-- An account may be suspended, or on its way out.
ALTER TABLE accounts ADD COLUMN state TEXT NOT NULL DEFAULT 'active'; -- active, suspended, deleting

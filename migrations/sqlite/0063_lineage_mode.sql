-- The mode whose database this is: `dev` or `serve`. The other one leaves it alone. NULL: a database of an earlier version; the next
-- start decides.
ALTER TABLE lineage ADD COLUMN mode TEXT;

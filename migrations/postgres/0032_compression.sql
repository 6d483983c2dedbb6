-- Raw messages are compressed by LZ4, where the server has it: PostgreSQL's own method takes ten times as long. What is there
-- already stays as it is.
DO $$ BEGIN
    ALTER TABLE raw_messages ALTER COLUMN data SET COMPRESSION lz4;
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'raw messages keep their compression: %', SQLERRM;
END $$;

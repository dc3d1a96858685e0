-- JT/T 808: the terminal that holds the phone under this version of the credential. NULL: none yet. Empty: the code was set by
-- hand, so no terminal may ask for it.
ALTER TABLE credential ADD COLUMN terminal {text};

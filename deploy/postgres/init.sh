#!/bin/sh
# Run by the image when the volume is new. Row-level security holds for an ordinary role that owns its database, not for a superuser.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 --set password="$RAGLINE_POSTGRES_PASSWORD" <<'SQL'
CREATE ROLE ragline LOGIN PASSWORD :'password';
CREATE DATABASE ragline OWNER ragline;
\connect ragline
CREATE EXTENSION vector;
SQL

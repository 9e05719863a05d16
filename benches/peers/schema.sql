-- Tables of a peer. Each peer has a database of its own, and both have these tables.
-- Times are UTC.

CREATE TABLE IF NOT EXISTS bookings (
    id           BINARY(16) NOT NULL PRIMARY KEY,
    show_id      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    email        VARCHAR(254) NOT NULL,
    name         VARCHAR(100) NOT NULL,
    status       ENUM('held', 'captured', 'confirmed', 'rejected') NOT NULL,
    -- When the intake accepted it.
    created_at   DATETIME(6) NOT NULL,
    confirmed_at DATETIME(6) NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- A seat that is sold. The primary key decides who gets it.
CREATE TABLE IF NOT EXISTS claims (
    show_id    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    seat       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    booking_id BINARY(16) NOT NULL,
    PRIMARY KEY (show_id, seat),
    KEY claims_booking (booking_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE IF NOT EXISTS payments (
    booking_id   BINARY(16) NOT NULL PRIMARY KEY,
    payment_id   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    amount_cents INT UNSIGNED NOT NULL,
    created_at   DATETIME(6) NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE IF NOT EXISTS documents (
    booking_id BINARY(16) NOT NULL PRIMARY KEY,
    pdf        MEDIUMBLOB NOT NULL,
    created_at DATETIME(6) NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

#pragma once
#include <stddef.h>
#include <stdint.h>

// Settings of a BoringSSL context that NIOSSL has no API for. Every `context` is an SSL_CTX that NIOSSL made and owns,
// and is configured before its first connection. Functions that return int give 1, or 0 when the value cannot be used.

/// Allowed cipher suites for TLS 1.2, in BoringSSL's notation; those of TLS 1.3 are fixed.
int weft_tls_set_cipher_suites(void *context, const char *list);
/// The server's order of cipher suites counts, not the client's.
void weft_tls_prefer_own_suites(void *context);
/// Allowed key exchange groups, in order, separated by colons: `X25519MLKEM768:X25519:P-256`.
int weft_tls_set_groups(void *context, const char *list);
int weft_tls_set_signature_algorithms(void *context, const char *list);

/// Revocation lists (PEM, at least one). Every certificate of a chain must be covered by one then, or the leaf alone.
int weft_tls_add_revocation_lists(void *context, const uint8_t *pem, size_t length, int leaf_only);
/// `depth`: intermediate certificates that a chain may have, negative for the default.
void weft_tls_set_verification(void *context, int depth, int allow_expired, int accept_untrusted);

/// Only sessions of contexts with equal bytes (32 at most) are resumed.
int weft_tls_set_session_context(void *context, const uint8_t *bytes, size_t length);
void weft_tls_disable_tickets(void *context);
void weft_tls_disable_session_cache(void *context);
/// Keys of 80 bytes each: name (16), HMAC key (32), AES-256 key (32). The first makes tickets, all read them.
int weft_tls_set_ticket_keys(void *context, const uint8_t *keys, size_t count);
/// How long a session may be resumed, in seconds.
void weft_tls_set_session_timeout(void *context, uint32_t seconds);
/// A client context keeps so many sessions and offers the newest one to the next server.
int weft_tls_keep_client_sessions(void *context, size_t maximum);
/// Handshakes of this server context that resumed a session, and all of them.
void weft_tls_count_resumptions(void *context, uint64_t *resumed, uint64_t *handshakes);

/// A client hello without a server name is refused.
int weft_tls_require_server_name(void *context);
/// A further certificate with its key, both PEM. The first whose name is asked for is used, else the first.
int weft_tls_add_certificate(
    void *context, const uint8_t *chain, size_t chain_length, const uint8_t *key, size_t key_length);

/// Kinds of names, as in GeneralName (RFC 5280, 4.2.1.6).
enum { WEFT_NAME_OTHER = 0, WEFT_NAME_EMAIL = 1, WEFT_NAME_DNS = 2, WEFT_NAME_URI = 6, WEFT_NAME_IP = 7 };
typedef void (*weft_tls_name_callback)(
    void *context, int kind, const uint8_t *bytes, size_t length, const char *object_identifier);
/// Calls back for each alternative name of a certificate (DER). `object_identifier` is that of an other name.
int weft_tls_each_name(const uint8_t *der, size_t length, weft_tls_name_callback callback, void *context);
/// The subject as RFC 2253 writes it, zero-terminated. Returns its length, or 0 if it does not fit.
size_t weft_tls_subject(const uint8_t *der, size_t length, char *text, size_t capacity);
/// The issuer, likewise.
size_t weft_tls_issuer(const uint8_t *der, size_t length, char *text, size_t capacity);
/// The serial number in lower-case hexadecimal, likewise.
size_t weft_tls_serial(const uint8_t *der, size_t length, char *text, size_t capacity);
/// SHA-256 of the subject public key info, 32 bytes.
int weft_tls_key_digest(const uint8_t *der, size_t length, uint8_t *digest);
/// Copies a peer's certificate chain, leaf first, as PEM. `connection` is an SSL. Returns its length; 0 if there is none
/// or it does not fit.
size_t weft_tls_peer_chain(void *connection, char *pem, size_t capacity);
/// The version that a connection (an SSL) speaks, such as `TLSv1.3`, zero-terminated. Returns its length.
size_t weft_tls_version_name(void *connection, char *text, size_t capacity);
/// The cipher suite of a connection in OpenSSL's notation, likewise; 0 before the handshake.
size_t weft_tls_cipher_name(void *connection, char *text, size_t capacity);
/// The identifier of a connection's session, 32 bytes at most. Returns its length.
size_t weft_tls_session_id(void *connection, uint8_t *bytes, size_t capacity);
/// When a certificate (DER) is valid, in seconds since 1970.
int weft_tls_validity(const uint8_t *der, size_t length, int64_t *start, int64_t *end);

#include "CWeftTLS.h"
#include <CNIOBoringSSL.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TICKET_NAME 16
#define TICKET_HMAC 32
#define TICKET_AES 32
#define TICKET_KEY (TICKET_NAME + TICKET_HMAC + TICKET_AES)

/// A certificate of a server that has several.
typedef struct {
    SSL_CREDENTIAL *credential;
    X509 *leaf;
} certificate_entry;

/// What we keep beside an SSL_CTX; freed with it.
typedef struct {
    pthread_mutex_t lock;
    uint8_t *ticket_keys;
    size_t ticket_key_count;
    SSL_SESSION **sessions;
    size_t session_count;
    size_t session_maximum;
    int requires_name;
    certificate_entry *certificates;
    size_t certificate_count;
    uint64_t resumed;
    uint64_t handshakes;
} extension;

static int extension_index = -1;
static pthread_once_t extension_once = PTHREAD_ONCE_INIT;

static void free_extension(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
    extension *own = pointer;
    if (own == NULL) return;
    for (size_t i = 0; i < own->session_count; i++) SSL_SESSION_free(own->sessions[i]);
    for (size_t i = 0; i < own->certificate_count; i++) {
        SSL_CREDENTIAL_free(own->certificates[i].credential);
        X509_free(own->certificates[i].leaf);
    }
    if (own->ticket_keys != NULL) OPENSSL_cleanse(own->ticket_keys, own->ticket_key_count * TICKET_KEY);
    free(own->ticket_keys);
    free(own->sessions);
    free(own->certificates);
    pthread_mutex_destroy(&own->lock);
    free(own);
}

static void make_index(void) { extension_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_extension); }

static extension *existing(const SSL_CTX *context) {
    pthread_once(&extension_once, make_index);
    return extension_index < 0 ? NULL : SSL_CTX_get_ex_data(context, extension_index);
}

static extension *extend(SSL_CTX *context) {
    extension *own = existing(context);
    if (own != NULL || extension_index < 0) return own;
    own = calloc(1, sizeof(extension));
    if (own == NULL) return NULL;
    pthread_mutex_init(&own->lock, NULL);
    if (SSL_CTX_set_ex_data(context, extension_index, own) == 1) return own;
    pthread_mutex_destroy(&own->lock);
    free(own);
    return NULL;
}

int weft_tls_set_cipher_suites(void *context, const char *list) {
    int result = SSL_CTX_set_strict_cipher_list(context, list);
    ERR_clear_error();
    return result == 1;
}

void weft_tls_prefer_own_suites(void *context) { SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE); }

int weft_tls_set_groups(void *context, const char *list) {
    int result = SSL_CTX_set1_groups_list(context, list);
    ERR_clear_error();
    return result == 1;
}

int weft_tls_set_signature_algorithms(void *context, const char *list) {
    int result = SSL_CTX_set1_sigalgs_list(context, list);
    ERR_clear_error();
    return result == 1;
}

int weft_tls_add_revocation_lists(void *context, const uint8_t *pem, size_t length, int leaf_only) {
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    BIO *input = BIO_new_mem_buf(pem, (ossl_ssize_t)length);
    if (input == NULL || store == NULL) return 0;
    size_t count = 0;
    int failed = 0;
    X509_CRL *list;
    while ((list = PEM_read_bio_X509_CRL(input, NULL, NULL, NULL)) != NULL) {
        if (X509_STORE_add_crl(store, list) == 1) count++; else failed = 1;
        X509_CRL_free(list);
    }
    // The end of the text is the one error that is expected.
    uint32_t code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE) failed = 1;
    BIO_free(input);
    ERR_clear_error();
    if (count == 0 || failed) return 0;
    unsigned long flags = X509_V_FLAG_CRL_CHECK | (leaf_only ? 0 : X509_V_FLAG_CRL_CHECK_ALL);
    return X509_STORE_set_flags(store, flags) == 1;
}

static int accept_any(X509_STORE_CTX *store, void *argument) { return 1; }

void weft_tls_set_verification(void *context, int depth, int allow_expired, int accept_untrusted) {
    if (depth >= 0) SSL_CTX_set_verify_depth(context, depth);
    if (allow_expired) X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_NO_CHECK_TIME);
    if (accept_untrusted) SSL_CTX_set_cert_verify_callback(context, accept_any, NULL);
}

int weft_tls_set_session_context(void *context, const uint8_t *bytes, size_t length) {
    return SSL_CTX_set_session_id_context(context, bytes, length) == 1;
}

void weft_tls_disable_tickets(void *context) { SSL_CTX_set_options(context, SSL_OP_NO_TICKET); }

void weft_tls_disable_session_cache(void *context) { SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); }

static int ticket_key(
    SSL *connection, uint8_t *name, uint8_t *vector, EVP_CIPHER_CTX *cipher, HMAC_CTX *digest, int encrypt) {
    extension *own = existing(SSL_get_SSL_CTX(connection));
    if (own == NULL || own->ticket_key_count == 0) return -1;
    if (encrypt) {
        const uint8_t *key = own->ticket_keys;
        memcpy(name, key, TICKET_NAME);
        if (RAND_bytes(vector, EVP_CIPHER_iv_length(EVP_aes_256_cbc())) != 1) return -1;
        if (EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + TICKET_NAME + TICKET_HMAC, vector) != 1) return -1;
        return HMAC_Init_ex(digest, key + TICKET_NAME, TICKET_HMAC, EVP_sha256(), NULL) == 1 ? 1 : -1;
    }
    for (size_t i = 0; i < own->ticket_key_count; i++) {
        const uint8_t *key = own->ticket_keys + i * TICKET_KEY;
        if (CRYPTO_memcmp(name, key, TICKET_NAME) != 0) continue;
        if (HMAC_Init_ex(digest, key + TICKET_NAME, TICKET_HMAC, EVP_sha256(), NULL) != 1) return -1;
        if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + TICKET_NAME + TICKET_HMAC, vector) != 1) return -1;
        // A ticket of an older key is taken, and a new one is given.
        return i == 0 ? 1 : 2;
    }
    return 0;
}

int weft_tls_set_ticket_keys(void *context, const uint8_t *keys, size_t count) {
    extension *own = extend(context);
    if (own == NULL || count == 0 || own->ticket_keys != NULL) return 0;
    own->ticket_keys = malloc(count * TICKET_KEY);
    if (own->ticket_keys == NULL) return 0;
    memcpy(own->ticket_keys, keys, count * TICKET_KEY);
    own->ticket_key_count = count;
    return SSL_CTX_set_tlsext_ticket_key_cb(context, ticket_key) == 1;
}

void weft_tls_set_session_timeout(void *context, uint32_t seconds) {
    SSL_CTX_set_timeout(context, seconds);
    SSL_CTX_set_session_psk_dhe_timeout(context, seconds);
}

static int keep_session(SSL *connection, SSL_SESSION *session) {
    extension *own = existing(SSL_get_SSL_CTX(connection));
    if (own == NULL) return 0;
    pthread_mutex_lock(&own->lock);
    SSL_SESSION *oldest = NULL;
    if (own->session_count == own->session_maximum) {
        oldest = own->sessions[0];
        own->session_count--;
        memmove(own->sessions, own->sessions + 1, own->session_count * sizeof(*own->sessions));
    }
    own->sessions[own->session_count++] = session;
    pthread_mutex_unlock(&own->lock);
    SSL_SESSION_free(oldest);
    return 1;
}

/// Offers the newest session. A session of TLS 1.3 is used once (RFC 8446, appendix C.4).
static void offer_session(SSL *connection, extension *own) {
    SSL_SESSION *session = NULL;
    pthread_mutex_lock(&own->lock);
    if (own->session_count > 0) {
        session = own->sessions[own->session_count - 1];
        if (SSL_SESSION_should_be_single_use(session)) own->session_count--; else SSL_SESSION_up_ref(session);
    }
    pthread_mutex_unlock(&own->lock);
    if (session == NULL) return;
    SSL_set_session(connection, session);
    SSL_SESSION_free(session);
}

static void client_event(const SSL *connection, int type, int value) {
    if (type != SSL_CB_HANDSHAKE_START || SSL_is_server(connection)) return;
    // A second handshake on a connection (renegotiation) must not get a session: BoringSSL aborts then.
    if (SSL_get_session(connection) != NULL) return;
    extension *own = existing(SSL_get_SSL_CTX(connection));
    if (own != NULL) offer_session((SSL *)connection, own);
}

int weft_tls_keep_client_sessions(void *context, size_t maximum) {
    extension *own = extend(context);
    if (own == NULL || own->sessions != NULL || maximum == 0) return 0;
    own->sessions = calloc(maximum, sizeof(SSL_SESSION *));
    if (own->sessions == NULL) return 0;
    own->session_maximum = maximum;
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    SSL_CTX_set_info_callback(context, client_event);
    return 1;
}

static void server_event(const SSL *connection, int type, int value) {
    if (type != SSL_CB_HANDSHAKE_DONE) return;
    extension *own = existing(SSL_get_SSL_CTX(connection));
    if (own == NULL) return;
    pthread_mutex_lock(&own->lock);
    own->handshakes++;
    if (SSL_session_reused(connection)) own->resumed++;
    pthread_mutex_unlock(&own->lock);
}

void weft_tls_count_resumptions(void *context, uint64_t *resumed, uint64_t *handshakes) {
    extension *own = extend(context);
    *resumed = 0;
    *handshakes = 0;
    if (own == NULL) return;
    // The first call turns the count on.
    if (own->session_maximum == 0) SSL_CTX_set_info_callback(context, server_event);
    pthread_mutex_lock(&own->lock);
    *resumed = own->resumed;
    *handshakes = own->handshakes;
    pthread_mutex_unlock(&own->lock);
}

static int has_server_name(const SSL_CLIENT_HELLO *hello) {
    const uint8_t *bytes;
    size_t length;
    return SSL_early_callback_ctx_extension_get(hello, TLSEXT_TYPE_server_name, &bytes, &length) == 1;
}

/// Puts the certificates that carry the name first, and leaves the order of the others.
static int order_certificates(SSL *connection, extension *own) {
    const char *name = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
    SSL_certs_clear(connection);
    for (int wanted = 1; wanted >= 0; wanted--) {
        for (size_t i = 0; i < own->certificate_count; i++) {
            int matches =
                name != NULL && X509_check_host(own->certificates[i].leaf, name, strlen(name), 0, NULL) == 1;
            if (matches != wanted) continue;
            if (SSL_add1_credential(connection, own->certificates[i].credential) != 1) return 0;
        }
    }
    return 1;
}

static enum ssl_select_cert_result_t select_certificate(const SSL_CLIENT_HELLO *hello) {
    extension *own = existing(SSL_get_SSL_CTX(hello->ssl));
    if (own == NULL) return ssl_select_cert_success;
    if (own->requires_name && !has_server_name(hello)) return ssl_select_cert_error;
    if (own->certificate_count > 1 && !order_certificates(hello->ssl, own)) return ssl_select_cert_error;
    return ssl_select_cert_success;
}

int weft_tls_require_server_name(void *context) {
    extension *own = extend(context);
    if (own == NULL) return 0;
    own->requires_name = 1;
    SSL_CTX_set_select_certificate_cb(context, select_certificate);
    return 1;
}

#define LONGEST_CHAIN 16

/// Reads a chain into buffers, leaf first. Returns how many there are; 0 for none, too many, or what cannot be read.
static size_t read_chain(const uint8_t *pem, size_t length, CRYPTO_BUFFER **buffers, X509 **leaf) {
    BIO *input = BIO_new_mem_buf(pem, (ossl_ssize_t)length);
    if (input == NULL) return 0;
    size_t count = 0;
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(input, NULL, NULL, NULL)) != NULL) {
        uint8_t *der = NULL;
        int size = count < LONGEST_CHAIN ? i2d_X509(certificate, &der) : -1;
        if (count == 0) *leaf = certificate; else X509_free(certificate);
        if (size <= 0) break;
        buffers[count] = CRYPTO_BUFFER_new(der, (size_t)size, NULL);
        OPENSSL_free(der);
        if (buffers[count] == NULL) break;
        count++;
    }
    BIO_free(input);
    ERR_clear_error();
    return count;
}

static SSL_CREDENTIAL *make_credential(CRYPTO_BUFFER **chain, size_t count, const uint8_t *key, size_t key_length) {
    BIO *input = BIO_new_mem_buf(key, (ossl_ssize_t)key_length);
    EVP_PKEY *private_key = input == NULL ? NULL : PEM_read_bio_PrivateKey(input, NULL, NULL, NULL);
    BIO_free(input);
    SSL_CREDENTIAL *credential = SSL_CREDENTIAL_new_x509();
    int good = private_key != NULL && credential != NULL && SSL_CREDENTIAL_set1_cert_chain(credential, chain, count) == 1 &&
        SSL_CREDENTIAL_set1_private_key(credential, private_key) == 1;
    EVP_PKEY_free(private_key);
    ERR_clear_error();
    if (good) return credential;
    SSL_CREDENTIAL_free(credential);
    return NULL;
}

int weft_tls_add_certificate(
    void *context, const uint8_t *chain, size_t chain_length, const uint8_t *key, size_t key_length) {
    extension *own = extend(context);
    if (own == NULL) return 0;
    certificate_entry *grown = realloc(own->certificates, (own->certificate_count + 1) * sizeof(certificate_entry));
    if (grown == NULL) return 0;
    own->certificates = grown;
    CRYPTO_BUFFER *buffers[LONGEST_CHAIN];
    X509 *leaf = NULL;
    size_t count = read_chain(chain, chain_length, buffers, &leaf);
    SSL_CREDENTIAL *credential = count == 0 ? NULL : make_credential(buffers, count, key, key_length);
    for (size_t i = 0; i < count; i++) CRYPTO_BUFFER_free(buffers[i]);
    if (credential == NULL) {
        X509_free(leaf);
        return 0;
    }
    own->certificates[own->certificate_count++] = (certificate_entry){.credential = credential, .leaf = leaf};
    SSL_CTX_set_select_certificate_cb(context, select_certificate);
    return 1;
}

static X509 *parse(const uint8_t *der, size_t length) {
    const uint8_t *cursor = der;
    X509 *certificate = d2i_X509(NULL, &cursor, (long)length);
    ERR_clear_error();
    return certificate;
}

/// Tells one name; other names only if their value is a string.
static void tell_name(const GENERAL_NAME *name, weft_tls_name_callback callback, void *context) {
    const ASN1_STRING *text = NULL;
    char identifier[128] = "";
    switch (name->type) {
    case GEN_EMAIL:
    case GEN_DNS:
    case GEN_URI: text = name->d.ia5; break;
    case GEN_IPADD: text = name->d.iPAddress; break;
    case GEN_OTHERNAME: {
        const ASN1_TYPE *value = name->d.otherName->value;
        if (OBJ_obj2txt(identifier, sizeof(identifier), name->d.otherName->type_id, 1) <= 0) return;
        if (value->type == V_ASN1_UTF8STRING || value->type == V_ASN1_IA5STRING || value->type == V_ASN1_PRINTABLESTRING ||
            value->type == V_ASN1_OCTET_STRING)
            text = value->value.asn1_string;
        break;
    }
    default: break;
    }
    if (text == NULL) return;
    callback(context, name->type, ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text), identifier);
}

int weft_tls_each_name(const uint8_t *der, size_t length, weft_tls_name_callback callback, void *context) {
    X509 *certificate = parse(der, length);
    if (certificate == NULL) return 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (size_t i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++)
        tell_name(sk_GENERAL_NAME_value(names, i), callback, context);
    GENERAL_NAMES_free(names);
    X509_free(certificate);
    ERR_clear_error();
    return 1;
}

/// Copies what was written to `output`, and a zero.
static size_t take(BIO *output, char *text, size_t capacity) {
    const uint8_t *bytes;
    size_t length;
    if (BIO_mem_contents(output, &bytes, &length) != 1 || length + 1 > capacity) return 0;
    memcpy(text, bytes, length);
    text[length] = 0;
    return length;
}

static size_t print_name(
    const uint8_t *der, size_t length, X509_NAME *(*name)(const X509 *), char *text, size_t capacity) {
    X509 *certificate = parse(der, length);
    BIO *output = BIO_new(BIO_s_mem());
    size_t written = 0;
    if (certificate != NULL && output != NULL &&
        X509_NAME_print_ex(output, name(certificate), 0, XN_FLAG_RFC2253) >= 0)
        written = take(output, text, capacity);
    BIO_free(output);
    X509_free(certificate);
    return written;
}

size_t weft_tls_subject(const uint8_t *der, size_t length, char *text, size_t capacity) {
    return print_name(der, length, X509_get_subject_name, text, capacity);
}

size_t weft_tls_issuer(const uint8_t *der, size_t length, char *text, size_t capacity) {
    return print_name(der, length, X509_get_issuer_name, text, capacity);
}

size_t weft_tls_serial(const uint8_t *der, size_t length, char *text, size_t capacity) {
    X509 *certificate = parse(der, length);
    if (certificate == NULL) return 0;
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *digits = number == NULL ? NULL : BN_bn2hex(number);
    size_t written = 0;
    if (digits != NULL && strlen(digits) < capacity) {
        written = strlen(digits);
        memcpy(text, digits, written + 1);
    }
    OPENSSL_free(digits);
    BN_free(number);
    X509_free(certificate);
    return written;
}

int weft_tls_key_digest(const uint8_t *der, size_t length, uint8_t *digest) {
    X509 *certificate = parse(der, length);
    if (certificate == NULL) return 0;
    uint8_t *info = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &info);
    if (size > 0) SHA256(info, (size_t)size, digest);
    OPENSSL_free(info);
    X509_free(certificate);
    return size > 0;
}

size_t weft_tls_peer_chain(void *connection, char *pem, size_t capacity) {
    const STACK_OF(CRYPTO_BUFFER) *chain = SSL_get0_peer_certificates(connection);
    BIO *output = BIO_new(BIO_s_mem());
    if (chain == NULL || output == NULL) {
        BIO_free(output);
        return 0;
    }
    for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(chain); i++) {
        const CRYPTO_BUFFER *buffer = sk_CRYPTO_BUFFER_value(chain, i);
        X509 *certificate = parse(CRYPTO_BUFFER_data(buffer), CRYPTO_BUFFER_len(buffer));
        if (certificate != NULL) PEM_write_bio_X509(output, certificate);
        X509_free(certificate);
    }
    size_t written = take(output, pem, capacity);
    BIO_free(output);
    return written;
}

static size_t copied(const char *name, char *text, size_t capacity) {
    size_t length = name == NULL ? 0 : strlen(name);
    if (length == 0 || length >= capacity) return 0;
    memcpy(text, name, length + 1);
    return length;
}

size_t weft_tls_version_name(void *connection, char *text, size_t capacity) {
    return copied(SSL_get_version(connection), text, capacity);
}

size_t weft_tls_cipher_name(void *connection, char *text, size_t capacity) {
    const SSL_CIPHER *cipher = SSL_get_current_cipher(connection);
    return cipher == NULL ? 0 : copied(SSL_CIPHER_get_name(cipher), text, capacity);
}

size_t weft_tls_session_id(void *connection, uint8_t *bytes, size_t capacity) {
    SSL_SESSION *session = SSL_get_session(connection);
    unsigned length = 0;
    const uint8_t *identifier = session == NULL ? NULL : SSL_SESSION_get_id(session, &length);
    if (identifier == NULL || length > capacity) return 0;
    memcpy(bytes, identifier, length);
    return length;
}

int weft_tls_validity(const uint8_t *der, size_t length, int64_t *start, int64_t *end) {
    X509 *certificate = parse(der, length);
    if (certificate == NULL) return 0;
    int found = ASN1_TIME_to_posix(X509_get0_notBefore(certificate), start)
        && ASN1_TIME_to_posix(X509_get0_notAfter(certificate), end);
    X509_free(certificate);
    return found;
}

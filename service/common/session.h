/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is told of an iSCSI session and of its connections, whatever this host is in it: initiator or target. Each thing has a
 * key, and its name and type stand in one row. What is not known is not told. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum SessionKey {
        SESSION_ROLE,
        SESSION_NUMBER,
        SESSION_INITIATOR,
        SESSION_TARGET,
        SESSION_ISID,
        SESSION_TSIH,
        SESSION_TAG,
        SESSION_STATE,
        SESSION_LAST_STATE_CHANGE,
        SESSION_INTERFACE_RECORD,
        SESSION_INTERFACE_NAME,
        SESSION_INITIAL_R2T,
        SESSION_IMMEDIATE_DATA,
        SESSION_MAX_OUTSTANDING_R2T,
        SESSION_MAX_FIRST_BURST,
        SESSION_MAX_BURST,
        SESSION_ERROR_RECOVERY_LEVEL,
        _SESSION_KEY_MAX,
} SessionKey;

typedef enum ConnectionKey {
        CONNECTION_ID,
        CONNECTION_STATE,
        CONNECTION_ADDRESS,
        CONNECTION_PORT,
        CONNECTION_PERSISTENT_ADDRESS,
        CONNECTION_PERSISTENT_PORT,
        CONNECTION_LOCAL_ADDRESS,
        CONNECTION_LOCAL_PORT,
        CONNECTION_MAX_RECEIVE,
        CONNECTION_MAX_TRANSMIT,
        CONNECTION_HEADER_DIGEST,
        CONNECTION_DATA_DIGEST,
        _CONNECTION_KEY_MAX,
} ConnectionKey;

/* TYPE: 's' text, or 'b', 'q', 'u', 't' as in common/value.h. */
typedef struct SessionField {
        const char *name;
        char type;
} SessionField;

extern const SessionField session_fields[_SESSION_KEY_MAX], connection_fields[_CONNECTION_KEY_MAX];

typedef struct SessionValue {
        bool known;
        uint64_t number; /* of all types but 's' */
        char *text;      /* of 's'; UTF-8 without control characters */
} SessionValue;

typedef struct SessionConnection {
        SessionValue values[_CONNECTION_KEY_MAX];
} SessionConnection;

typedef struct SessionInfo {
        SessionValue values[_SESSION_KEY_MAX];
        SessionConnection *connections;
        size_t n_connections;
} SessionInfo;

/* Frees what is in *S, not S itself, and leaves it empty. */
void session_info_done(SessionInfo *s);

static inline void session_set_number(SessionValue *v, uint64_t number) {
        v->known = true;
        v->number = number;
}

/* TEXT is taken, what was there is freed. */
void session_take_text(SessionValue *v, char *text);

/* The text of a value; NULL if it is not known. */
static inline const char *session_text(const SessionInfo *s, SessionKey key) {
        return s->values[key].known ? s->values[key].text : NULL;
}

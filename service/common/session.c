/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/session.h"

#include <stdlib.h>

/* CIM's names where CIM_iSCSISession, CIM_iSCSIConnection or what they derive from has them. */
const SessionField session_fields[_SESSION_KEY_MAX] = {
        [SESSION_ROLE] = { "Role", 'q' },
        [SESSION_NUMBER] = { "SessionNumber", 'u' },
        [SESSION_INITIATOR] = { "Initiator", 's' },
        [SESSION_TARGET] = { "Target", 's' },
        [SESSION_ISID] = { "ISID", 's' },
        [SESSION_TSIH] = { "TSIH", 'q' },
        [SESSION_TAG] = { "Tag", 'q' },
        [SESSION_STATE] = { "State", 's' },
        [SESSION_LAST_STATE_CHANGE] = { "TimeOfLastStateChange", 't' },
        [SESSION_INTERFACE_RECORD] = { "InterfaceRecord", 's' },
        [SESSION_INTERFACE_NAME] = { "InterfaceName", 's' },
        [SESSION_INITIAL_R2T] = { "InitialR2T", 'b' },
        [SESSION_IMMEDIATE_DATA] = { "ImmediateData", 'b' },
        [SESSION_MAX_OUTSTANDING_R2T] = { "MaxOutstandingR2T", 'u' },
        [SESSION_MAX_FIRST_BURST] = { "MaxUnsolicitedFirstDataBurstLength", 'u' },
        [SESSION_MAX_BURST] = { "MaxDataBurstLength", 'u' },
        [SESSION_ERROR_RECOVERY_LEVEL] = { "ErrorRecoveryLevel", 'u' },
};

const SessionField connection_fields[_CONNECTION_KEY_MAX] = {
        [CONNECTION_ID] = { "ConnectionID", 'u' },
        [CONNECTION_STATE] = { "State", 's' },
        [CONNECTION_ADDRESS] = { "Address", 's' },
        [CONNECTION_PORT] = { "PortNumber", 'q' },
        [CONNECTION_PERSISTENT_ADDRESS] = { "PersistentAddress", 's' },
        [CONNECTION_PERSISTENT_PORT] = { "PersistentPortNumber", 'q' },
        [CONNECTION_LOCAL_ADDRESS] = { "LocalAddress", 's' },
        [CONNECTION_LOCAL_PORT] = { "LocalPortNumber", 'q' },
        [CONNECTION_MAX_RECEIVE] = { "MaxReceiveDataSegmentLength", 'u' },
        [CONNECTION_MAX_TRANSMIT] = { "MaxTransmitDataSegmentLength", 'u' },
        [CONNECTION_HEADER_DIGEST] = { "HeaderDigestMethod", 'q' },
        [CONNECTION_DATA_DIGEST] = { "DataDigestMethod", 'q' },
};

void session_info_done(SessionInfo *s) {
        for (size_t k = 0; k < _SESSION_KEY_MAX; k++)
                free(s->values[k].text);
        for (size_t i = 0; i < s->n_connections; i++)
                for (size_t k = 0; k < _CONNECTION_KEY_MAX; k++)
                        free(s->connections[i].values[k].text);
        free(s->connections);
        *s = (SessionInfo){};
}

void session_take_text(SessionValue *v, char *text) {
        free(v->text);
        v->text = text;
        v->known = true;
}

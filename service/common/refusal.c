/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/refusal.h"

#include <errno.h>
#include <string.h>

#include "common/macro.h"

typedef struct RefusalInfo {
        uint32_t common_code; /* 0: numbered per method */
        const char *error_name;
        int error;
        const char *meaning;
} RefusalInfo;

#define NAME(s) ERROR_NAME_PREFIX s

static const RefusalInfo refusals[_REFUSAL_MAX] = {
        [REFUSAL_NOT_SUPPORTED] = { 1, NAME("NotSupported"), EOPNOTSUPP, "the service cannot do this here" },
        [REFUSAL_UNSPECIFIED] = { 2, NAME("UnspecifiedError"), EIO, "internal error; see the log of the service" },
        [REFUSAL_TIMEOUT] = { 3, NAME("Timeout"), ETIMEDOUT, "no answer within the deadline" },
        [REFUSAL_FAILED] = { 4, NAME("Failed"), EBUSY, "the system refused; the message gives its reason" },
        [REFUSAL_INVALID_PARAMETER] = { 5, NAME("InvalidParameter"), EINVAL, "an argument has a wrong form, class or value" },

        [REFUSAL_NODE_NON_EXISTENT] = { 0, NAME("SCSIProtocolControllerNonExistent"), ENOENT, "no such iSCSI node" },
        [REFUSAL_ROLE_NOT_SUPPORTED] = { 0, NAME("RoleNotSupported"), EPROTOTYPE, "the node does not act in this role" },
        [REFUSAL_IDENTIFIER_IN_USE] = { 0, NAME("IdentifierInUse"), EEXIST, "another port of this node has the Identifier" },
        [REFUSAL_IDENTIFIER_SELECTION_NOT_SUPPORTED] = { 0, NAME("IdentifierSelectionNotSupported"), ENOTSUP,
                                                         "the Identifier is chosen by the service for this role" },
        [REFUSAL_ENDPOINT_NON_EXISTENT] = { 0, NAME("ProtocolEndpointNonExistent"), ENXIO, "no such endpoint" },
        [REFUSAL_TCP_NOT_BOUND] = { 0, NAME("TCPProtocolEndpointNotBound"), EADDRNOTAVAIL,
                                    "the TCP endpoint's address is not on this host" },
        [REFUSAL_TCP_IN_USE] = { 0, NAME("TCPProtocolEndpointInUse"), EADDRINUSE,
                                 "another port of this target node uses the TCP endpoint" },
        [REFUSAL_NOT_FROM_SAME_COLLECTION] = { 0, NAME("NotFromSameCollection"), EXDEV,
                                               "no portal group holds all of the portals, or the addresses are on several "
                                               "network interfaces" },
        [REFUSAL_NODE_CREATION_NOT_SUPPORTED] = { 0, NAME("NodeCreationNotSupported"), EOPNOTSUPP,
                                                  "nodes cannot be created here" },
        [REFUSAL_ALIAS_IN_USE] = { 0, NAME("AliasInUse"), EEXIST, "another node has the alias" },
        [REFUSAL_SESSIONS_ACTIVE] = { 0, NAME("SessionsActive"), EBUSY, "initiators are logged in" },

        [REFUSAL_GROUP_NON_EXISTENT] = { 0, NAME("PortalGroupNonExistent"), ENOENT, "no such portal group" },
        [REFUSAL_ENDPOINT_EXISTS] = { 0, NAME("TCPProtocolEndpointExists"), EEXIST,
                                      "the address has an endpoint on this TCP port" },
        [REFUSAL_ENDPOINT_IN_USE] = { 0, NAME("EndpointInUse"), EBUSY, "a port binds to the endpoint" },
        [REFUSAL_GROUP_NOT_EMPTY] = { 0, NAME("PortalGroupNotEmpty"), ENOTEMPTY, "the portal group has members" },
        [REFUSAL_INVALID_STATE_TRANSITION] = { 0, NAME("InvalidStateTransition"), EBUSY,
                                               "the object cannot go into this state now" },
        [REFUSAL_ADDRESS_EXISTS] = { 0, NAME("IPProtocolEndpointExists"), EEXIST, "the address is declared already" },

        [REFUSAL_ADDRESS_IN_USE] = { 32768, NAME("AddressInUse"), EADDRINUSE,
                                     "another program listens on the address and TCP port" },
        [REFUSAL_ADDRESS_OVERLAP] = { 32769, NAME("AddressOverlap"), EADDRINUSE,
                                      "a wildcard portal and a specific one on the same TCP port exclude each other" },
        [REFUSAL_PORTAL_SHADOWED] = { 32770, NAME("PortalShadowed"), EADDRINUSE,
                                      "the kernel would mistake the portal for another one and not listen on it" },
        [REFUSAL_SCOPE_MISSING] = { 32771, NAME("ScopeMissing"), ENODEV, "no network interface has the address" },
        [REFUSAL_BUSY] = { 32772, NAME("Busy"), EBUSY, "another program holds the target's lock, or too much is under way" },
        [REFUSAL_BACKEND_UNAVAILABLE] = { 32773, NAME("BackendUnavailable"), EHOSTDOWN,
                                          "the backend, or the kernel's target behind it, cannot be reached" },
        [REFUSAL_DEGRADED] = { 32774, NAME("Degraded"), EUCLEAN,
                               "it failed and could not be undone: the object stays visible with its state" },
        [REFUSAL_LIMIT_REACHED] = { 32775, NAME("LimitReached"), EDQUOT, "a limit of the service is reached" },
        [REFUSAL_NOT_MANAGED] = { 32776, NAME("NotManaged"), EPERM,
                                  "the object is not managed by this service and is read-only here" },
        [REFUSAL_NAME_IN_USE] = { 32777, NAME("NameInUse"), EEXIST, "a node with this iSCSI name exists" },
        [REFUSAL_LAST_PORTAL] = { 32778, NAME("LastPortal"), EBUSY, "a port keeps at least one portal" },
        [REFUSAL_RECORD_IN_USE] = { 32780, NAME("RecordInUse"), EBUSY,
                                    "records of targets name the interface record of the port" },
        [REFUSAL_STORE_UNAVAILABLE] = { 32781, NAME("StoreUnavailable"), EIO,
                                        "the store cannot be used; nothing is changed until it can" },
        [REFUSAL_STUCK] = { 32782, NAME("Stuck"), EBUSY, "the kernel does not come back from an earlier call on this node" },
        [REFUSAL_FOREIGN_OBJECT_INSIDE] = { 32793, NAME("ForeignObjectInside"), EBUSY,
                                            "another program has put something into the object" },
};

const char *refusal_error_name(Refusal r) {
        return refusals[r].error_name;
}

Refusal refusal_from_error_name(const char *name) {
        for (Refusal r = REFUSAL_NONE + 1; r < _REFUSAL_MAX; r++)
                if (strcmp(refusals[r].error_name, name) == 0)
                        return r;

        return REFUSAL_NONE;
}

int refusal_errno(Refusal r) {
        return refusals[r].error;
}

const char *refusal_meaning(Refusal r) {
        return refusals[r].meaning;
}

uint32_t refusal_common_code(Refusal r) {
        return refusals[r].common_code;
}

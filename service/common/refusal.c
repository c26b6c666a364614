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
        [REFUSAL_UNSPECIFIED] = { 2, NAME("UnspecifiedError"), EIO, "what cannot happen; the service's log says more" },
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
                                               "no portal group holds all of the portals" },
        [REFUSAL_NODE_CREATION_NOT_SUPPORTED] = { 0, NAME("NodeCreationNotSupported"), EOPNOTSUPP,
                                                  "nodes cannot be created here" },
        [REFUSAL_ALIAS_IN_USE] = { 0, NAME("AliasInUse"), EEXIST, "another node has the alias" },
        [REFUSAL_SESSIONS_ACTIVE] = { 0, NAME("SessionsActive"), EBUSY, "initiators are logged in" },

        [REFUSAL_GROUP_NON_EXISTENT] = { 0, NAME("PortalGroupNonExistent"), ENOENT, "no such portal group" },
        [REFUSAL_ENDPOINT_EXISTS] = { 0, NAME("TCPProtocolEndpointExists"), EEXIST,
                                      "the address has an endpoint on this TCP port" },
        [REFUSAL_ENDPOINT_IN_USE] = { 0, NAME("EndpointInUse"), EBUSY, "a port binds to the endpoint" },
        [REFUSAL_GROUP_NOT_EMPTY] = { 0, NAME("PortalGroupNotEmpty"), ENOTEMPTY, "the portal group has members" },

        [REFUSAL_ADDRESS_IN_USE] = { 32768, NAME("AddressInUse"), EADDRINUSE,
                                     "another program listens on the address and TCP port" },
        [REFUSAL_ADDRESS_OVERLAP] = { 32769, NAME("AddressOverlap"), EADDRINUSE,
                                      "a wildcard portal and a specific one on the same TCP port exclude each other" },
        [REFUSAL_PORTAL_SHADOWED] = { 32770, NAME("PortalShadowed"), EADDRINUSE,
                                      "the kernel would mistake the portal for another one and not listen on it" },
        [REFUSAL_SCOPE_MISSING] = { 32771, NAME("ScopeMissing"), ENODEV,
                                    "the interface of the link-local address does not exist" },
        [REFUSAL_BUSY] = { 32772, NAME("Busy"), EBUSY, "another program holds the target's lock, or too much is under way" },
        [REFUSAL_BACKEND_UNAVAILABLE] = { 32773, NAME("BackendUnavailable"), EHOSTDOWN,
                                          "the backend, or the kernel's target behind it, cannot be reached" },
        [REFUSAL_DEGRADED] = { 32774, NAME("Degraded"), EUCLEAN,
                               "it failed and could not be undone: the object stays visible with its state" },
        [REFUSAL_LIMIT_REACHED] = { 32775, NAME("LimitReached"), EDQUOT, "a limit of the service is reached" },
        [REFUSAL_NOT_MANAGED] = { 32776, NAME("NotManaged"), EPERM,
                                  "the object was made by another program and is read-only here" },
        [REFUSAL_NAME_IN_USE] = { 32777, NAME("NameInUse"), EEXIST, "a node with this iSCSI name exists" },
        [REFUSAL_LAST_PORTAL] = { 32778, NAME("LastPortal"), EBUSY, "a port keeps at least one portal" },
};

static const MethodCode create_port_codes[] = {
        { 4096, REFUSAL_NODE_NON_EXISTENT, "iSCSINode names no node" },
        { 4097, REFUSAL_ROLE_NOT_SUPPORTED, "the node does not have this Role" },
        { 4098, REFUSAL_IDENTIFIER_IN_USE,
          "another port of the node, in either role, has this Identifier (compared as numbers)" },
        { 4099, REFUSAL_IDENTIFIER_SELECTION_NOT_SUPPORTED, "Identifier is not empty and the backend of the role chooses it" },
        { 4100, REFUSAL_ENDPOINT_NON_EXISTENT, "a path in NetworkPortals names nothing" },
        { 4101, REFUSAL_TCP_NOT_BOUND, "the address of a TCP endpoint is not on this host" },
        { 4102, REFUSAL_TCP_IN_USE, "another port of the same target node uses a TCP endpoint" },
        { 4103, REFUSAL_NOT_FROM_SAME_COLLECTION, "no portal group holds all of NetworkPortals" },
};

static const MethodCode delete_port_codes[] = {
        { 4096, REFUSAL_ENDPOINT_NON_EXISTENT, "iSCSIPort names no port" },
        { 32779, REFUSAL_SESSIONS_ACTIVE, "initiators are logged in through the port (CIM has no code for it)" },
};

static const MethodCode bind_port_codes[] = {
        { 4096, REFUSAL_ENDPOINT_NON_EXISTENT, "iSCSIPort or NetworkPortal names nothing" },
        { 4097, REFUSAL_TCP_NOT_BOUND, "the address of the TCP endpoint is not on this host" },
        { 4098, REFUSAL_TCP_IN_USE, "another port of the same target node uses the TCP endpoint" },
        { 4099, REFUSAL_NOT_FROM_SAME_COLLECTION, "no portal group holds the portal and those already bound" },
};

static const MethodCode unbind_port_codes[] = {
        { 4096, REFUSAL_ENDPOINT_NON_EXISTENT, "iSCSIPort or NetworkPortal names nothing" },
};

static const MethodCode create_node_codes[] = {
        { 4096, REFUSAL_NODE_CREATION_NOT_SUPPORTED, "no backend is configured" },
        { 4097, REFUSAL_ALIAS_IN_USE, "another node has this Alias" },
};

static const MethodCode delete_node_codes[] = {
        { 4096, REFUSAL_NODE_NON_EXISTENT, "iSCSINode names no node" },
        { 4097, REFUSAL_SESSIONS_ACTIVE, "initiators are logged in through ports of the node" },
};

static const MethodCode create_tcp_codes[] = {
        { 4096, REFUSAL_ENDPOINT_NON_EXISTENT, "IPEndpoint names no host address" },
        { 4097, REFUSAL_GROUP_NON_EXISTENT, "PortalGroup names no portal group" },
        { 4098, REFUSAL_ENDPOINT_EXISTS, "the address has an endpoint on PortNumber" },
};

static const MethodCode delete_tcp_codes[] = {
        { 4096, REFUSAL_ENDPOINT_NON_EXISTENT, "the path names no TCP endpoint" },
        { 4097, REFUSAL_ENDPOINT_IN_USE, "a port binds to the endpoint" },
};

static const MethodCode delete_group_codes[] = {
        { 4096, REFUSAL_GROUP_NON_EXISTENT, "the path names no portal group" },
        { 4097, REFUSAL_GROUP_NOT_EMPTY, "the portal group has members" },
};

static const MethodCode membership_codes[] = {
        { 4096, REFUSAL_GROUP_NON_EXISTENT, "PortalGroup names no portal group" },
        { 4097, REFUSAL_ENDPOINT_NON_EXISTENT, "TCPEndpoint names no TCP endpoint" },
};

static const MethodCode remove_member_codes[] = {
        { 4096, REFUSAL_GROUP_NON_EXISTENT, "PortalGroup names no portal group" },
        { 4097, REFUSAL_ENDPOINT_NON_EXISTENT, "TCPEndpoint names no TCP endpoint" },
        { 4098, REFUSAL_ENDPOINT_IN_USE,
          "a port binds to the endpoint and to others of this group, and no other group holds them all" },
};

#define CODES(t) t, ELEMENTSOF(t)

static const struct {
        const char *name;
        const MethodCode *codes;
        size_t n_codes;
} methods[_METHOD_MAX] = {
        [METHOD_CREATE_ISCSI_PROTOCOL_ENDPOINT] = { "CreateiSCSIProtocolEndpoint", CODES(create_port_codes) },
        [METHOD_DELETE_ISCSI_PROTOCOL_ENDPOINT] = { "DeleteiSCSIProtocolEndpoint", CODES(delete_port_codes) },
        [METHOD_BIND_ISCSI_PROTOCOL_ENDPOINT] = { "BindiSCSIProtocolEndPoint", CODES(bind_port_codes) },
        [METHOD_UNBIND_ISCSI_PROTOCOL_ENDPOINT] = { "UnbindiSCSIProtocolEndPoint", CODES(unbind_port_codes) },
        [METHOD_CREATE_ISCSI_NODE] = { "CreateiSCSINode", CODES(create_node_codes) },
        [METHOD_DELETE_ISCSI_NODE] = { "DeleteiSCSINode", CODES(delete_node_codes) },
        [METHOD_CREATE_TCP_PROTOCOL_ENDPOINT] = { "CreateTCPProtocolEndpoint", CODES(create_tcp_codes) },
        [METHOD_DELETE_TCP_PROTOCOL_ENDPOINT] = { "DeleteTCPProtocolEndpoint", CODES(delete_tcp_codes) },
        [METHOD_CREATE_PORTAL_GROUP] = { "CreatePortalGroup", NULL, 0 },
        [METHOD_DELETE_PORTAL_GROUP] = { "DeletePortalGroup", CODES(delete_group_codes) },
        [METHOD_ADD_TO_PORTAL_GROUP] = { "AddToPortalGroup", CODES(membership_codes) },
        [METHOD_REMOVE_FROM_PORTAL_GROUP] = { "RemoveFromPortalGroup", CODES(remove_member_codes) },
};

const char *method_name(Method m) {
        return methods[m].name;
}

const MethodCode *method_codes(Method m, size_t *ret_n) {
        *ret_n = methods[m].n_codes;
        return methods[m].codes;
}

uint32_t method_code(Method m, Refusal r) {
        if (r == REFUSAL_NONE)
                return 0;

        if (refusals[r].common_code)
                return refusals[r].common_code;

        for (size_t i = 0; i < methods[m].n_codes; i++)
                if (methods[m].codes[i].refusal == r)
                        return methods[m].codes[i].code;

        return refusals[REFUSAL_UNSPECIFIED].common_code;
}

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

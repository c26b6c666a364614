/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The tables of return codes: what every caller, the map of errnos and the documentation rely on. */

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>

#include "change/methods/methods.h"
#include "common/macro.h"
#include "common/refusal.h"

/* CIM_iSCSIConfigurationService (schema 2.51) and what it leaves to vendors. */
#define CODE_METHOD_FIRST 4096u
#define CODE_METHOD_LAST 32767u
#define CODE_VENDOR_FIRST 32768u
#define CODE_VENDOR_LAST 65535u
#define CODE_UNSPECIFIED 2u

typedef struct Row {
        uint32_t code;
        const char *name; /* behind the prefix */
        int error;
} Row;

/* The contract of CreateiSCSIProtocolEndpoint, written out once more so that a slip in the tables shows. */
static const Row create_port_contract[] = {
        { 1, "NotSupported", EOPNOTSUPP },
        { 2, "UnspecifiedError", EIO },
        { 3, "Timeout", ETIMEDOUT },
        { 4, "Failed", EBUSY },
        { 5, "InvalidParameter", EINVAL },
        { 4096, "SCSIProtocolControllerNonExistent", ENOENT },
        { 4097, "RoleNotSupported", EPROTOTYPE },
        { 4098, "IdentifierInUse", EEXIST },
        { 4099, "IdentifierSelectionNotSupported", ENOTSUP },
        { 4100, "ProtocolEndpointNonExistent", ENXIO },
        { 4101, "TCPProtocolEndpointNotBound", EADDRNOTAVAIL },
        { 4102, "TCPProtocolEndpointInUse", EADDRINUSE },
        { 4103, "NotFromSameCollection", EXDEV },
};

static const Row vendor_contract[] = {
        { 32768, "AddressInUse", EADDRINUSE },
        { 32769, "AddressOverlap", EADDRINUSE },
        { 32770, "PortalShadowed", EADDRINUSE },
        { 32771, "ScopeMissing", ENODEV },
        { 32772, "Busy", EBUSY },
        { 32773, "BackendUnavailable", EHOSTDOWN },
        { 32774, "Degraded", EUCLEAN },
        { 32775, "LimitReached", EDQUOT },
        { 32776, "NotManaged", EPERM },
        { 32777, "NameInUse", EEXIST },
        { 32778, "LastPortal", EBUSY },
        { 32781, "StoreUnavailable", EIO },
        { 32782, "Stuck", EBUSY },
        { 32793, "ForeignObjectInside", EBUSY },
};

static const struct {
        const Method *method;
        const char *name;
        Row own[9]; /* those numbered by the method */
} other_contracts[] = {
        { &method_create_ports,
          "CreateiSCSIProtocolEndpoints",
          { { 4096, "SCSIProtocolControllerNonExistent", ENOENT },
            { 4097, "RoleNotSupported", EPROTOTYPE },
            { 4098, "IdentifierInUse", EEXIST },
            { 4099, "IdentifierSelectionNotSupported", ENOTSUP },
            { 4100, "ProtocolEndpointNonExistent", ENXIO },
            { 4101, "TCPProtocolEndpointNotBound", EADDRNOTAVAIL },
            { 4102, "TCPProtocolEndpointInUse", EADDRINUSE },
            { 4103, "NotFromSameCollection", EXDEV } } },
        { &method_delete_port_forced, "DeleteiSCSIProtocolEndpointForced", { { 4096, "ProtocolEndpointNonExistent", ENXIO } } },
        { &method_request_state_change,
          "RequestStateChange",
          { { 4096, "ProtocolEndpointNonExistent", ENXIO },
            { 4097, "InvalidStateTransition", EBUSY },
            { 32779, "SessionsActive", EBUSY } } },
        { &method_modify_node,
          "ModifyiSCSINode",
          { { 4096, "SCSIProtocolControllerNonExistent", ENOENT }, { 4097, "AliasInUse", EEXIST } } },
        { &method_delete_node_forced, "DeleteiSCSINodeForced", { { 4096, "SCSIProtocolControllerNonExistent", ENOENT } } },
        { &method_adopt_node, "AdoptiSCSINode", { { 4096, "SCSIProtocolControllerNonExistent", ENOENT } } },
        { &method_release_node, "ReleaseiSCSINode", { { 4096, "SCSIProtocolControllerNonExistent", ENOENT } } },
        { &method_reconcile, "Reconcile", { { 4096, "SCSIProtocolControllerNonExistent", ENOENT } } },
        { &method_declare_address, "CreateIPProtocolEndpoint", { { 4096, "IPProtocolEndpointExists", EEXIST } } },
        { &method_retract_address,
          "DeleteIPProtocolEndpoint",
          { { 4096, "ProtocolEndpointNonExistent", ENXIO }, { 4097, "EndpointInUse", EBUSY } } },
        { &method_delete_port,
          "DeleteiSCSIProtocolEndpoint",
          { { 4096, "ProtocolEndpointNonExistent", ENXIO }, { 32779, "SessionsActive", EBUSY } } },
        { &method_bind_port,
          "BindiSCSIProtocolEndPoint",
          { { 4096, "ProtocolEndpointNonExistent", ENXIO },
            { 4097, "TCPProtocolEndpointNotBound", EADDRNOTAVAIL },
            { 4098, "TCPProtocolEndpointInUse", EADDRINUSE },
            { 4099, "NotFromSameCollection", EXDEV } } },
        { &method_unbind_port, "UnbindiSCSIProtocolEndPoint", { { 4096, "ProtocolEndpointNonExistent", ENXIO } } },
        { &method_create_node,
          "CreateiSCSINode",
          { { 4096, "NodeCreationNotSupported", EOPNOTSUPP }, { 4097, "AliasInUse", EEXIST } } },
        { &method_delete_node,
          "DeleteiSCSINode",
          { { 4096, "SCSIProtocolControllerNonExistent", ENOENT }, { 4097, "SessionsActive", EBUSY } } },
        { &method_create_tcp_endpoint,
          "CreateTCPProtocolEndpoint",
          { { 4096, "ProtocolEndpointNonExistent", ENXIO },
            { 4097, "PortalGroupNonExistent", ENOENT },
            { 4098, "TCPProtocolEndpointExists", EEXIST } } },
        { &method_delete_tcp_endpoint,
          "DeleteTCPProtocolEndpoint",
          { { 4096, "ProtocolEndpointNonExistent", ENXIO }, { 4097, "EndpointInUse", EBUSY } } },
        { &method_create_portal_group, "CreatePortalGroup", {} },
        { &method_delete_portal_group,
          "DeletePortalGroup",
          { { 4096, "PortalGroupNonExistent", ENOENT }, { 4097, "PortalGroupNotEmpty", ENOTEMPTY } } },
        { &method_add_member,
          "AddToPortalGroup",
          { { 4096, "PortalGroupNonExistent", ENOENT }, { 4097, "ProtocolEndpointNonExistent", ENXIO } } },
        { &method_remove_member,
          "RemoveFromPortalGroup",
          { { 4096, "PortalGroupNonExistent", ENOENT },
            { 4097, "ProtocolEndpointNonExistent", ENXIO },
            { 4098, "EndpointInUse", EBUSY } } },
};

static size_t n_methods(void) {
        size_t n = 0;

        while (methods[n])
                n++;
        return n;
}

static Refusal refusal_by_name(const char *name) {
        g_autofree char *full = g_strconcat("org.iscsi.ConfigurationService.Error.", name, NULL);
        Refusal r = refusal_from_error_name(full);

        g_assert_cmpint(r, !=, REFUSAL_NONE);
        g_assert_cmpstr(refusal_error_name(r), ==, full);
        return r;
}

static void check_row(const Method *m, const Row *row) {
        Refusal r = refusal_by_name(row->name);

        g_assert_cmpuint(method_code(m, r), ==, row->code);
        g_assert_cmpint(refusal_errno(r), ==, row->error);
}

static void test_create_port_contract(void) {
        const Method *m = &method_create_port;

        g_assert_cmpstr(m->name, ==, "CreateiSCSIProtocolEndpoint");
        for (size_t i = 0; i < ELEMENTSOF(create_port_contract); i++)
                check_row(m, create_port_contract + i);

        g_assert_cmpuint(m->n_codes, ==, 8); /* 4096 to 4103 and no more */
}

static void test_other_contracts(void) {
        g_assert_cmpuint(ELEMENTSOF(other_contracts), ==, n_methods() - 1);

        for (size_t i = 0; i < ELEMENTSOF(other_contracts); i++) {
                const Method *m = other_contracts[i].method;
                size_t n_own = 0;

                g_assert_cmpstr(m->name, ==, other_contracts[i].name);
                for (; other_contracts[i].own[n_own].name; n_own++)
                        check_row(m, other_contracts[i].own + n_own);

                g_assert_cmpuint(m->n_codes, ==, n_own);
        }
}

/* Common and vendor codes are the same in all methods. */
static void test_common_contract(void) {
        for (size_t k = 0; methods[k]; k++) {
                const Method *m = methods[k];

                for (size_t i = 0; i < ELEMENTSOF(vendor_contract); i++)
                        check_row(m, vendor_contract + i);
                for (size_t i = 0; i < 5; i++)
                        check_row(m, create_port_contract + i);
        }
}

static void test_method_tables(void) {
        for (size_t k = 0; methods[k]; k++) {
                const Method *m = methods[k];

                const MethodCode *codes = m->codes;
                uint32_t last = 0, n_cim = 0;
                size_t n = m->n_codes;

                for (size_t i = 0; i < n; i++) {
                        uint32_t code = codes[i].code;

                        g_assert_cmpuint(code, >, last);
                        last = code;
                        g_assert_cmpuint(method_code(m, codes[i].refusal), ==, code);

                        if (code <= CODE_METHOD_LAST) {
                                /* Without gaps from the first. */
                                g_assert_cmpuint(code, ==, CODE_METHOD_FIRST + n_cim++);
                        } else
                                g_assert_cmpuint(code, <=, CODE_VENDOR_LAST);

                        /* A number that all methods share is not given once more by one of them. */
                        g_assert_cmpuint(refusal_common_code(codes[i].refusal), ==, 0);
                        for (Refusal r = REFUSAL_NONE + 1; r < _REFUSAL_MAX; r++)
                                g_assert_cmpuint(refusal_common_code(r), !=, code);

                        for (size_t j = 0; j < i; j++)
                                g_assert_cmpint(codes[j].refusal, !=, codes[i].refusal);

                        g_assert_nonnull(codes[i].when);
                        g_assert_cmpuint(strlen(codes[i].when), >, 10);
                }
        }
}

static void test_method_names(void) {
        for (size_t k = 0; methods[k]; k++) {
                const Method *m = methods[k];

                g_assert_true(g_regex_match_simple("^[A-Z][A-Za-z]+$", m->name, 0, 0));
                g_assert_true(method_find(m->name) == m);
                for (const Method *const *other = methods; *other != m; other++)
                        g_assert_cmpstr(m->name, !=, (*other)->name);
        }
}

static void test_refusals(void) {
        for (Refusal r = REFUSAL_NONE + 1; r < _REFUSAL_MAX; r++) {
                const char *name = refusal_error_name(r), *meaning = refusal_meaning(r);
                uint32_t common = refusal_common_code(r);
                bool used = common != 0;

                g_assert_nonnull(name);
                g_assert_true(g_str_has_prefix(name, ERROR_NAME_PREFIX));
                g_assert_true(g_regex_match_simple("^org\\.iscsi\\.ConfigurationService\\.Error\\.[A-Z][A-Za-z]+$", name, 0, 0));
                g_assert_cmpuint(strlen(name), <=, 255); /* the longest name that D-Bus allows */
                g_assert_cmpint(refusal_from_error_name(name), ==, r);

                g_assert_nonnull(meaning);
                g_assert_cmpuint(strlen(meaning), >, 10);
                g_assert_cmpint(meaning[strlen(meaning) - 1], !=, '.');

                g_assert_cmpint(refusal_errno(r), >, 0);
                g_assert_cmpstr(g_strerror(refusal_errno(r)), !=, g_strerror(0));

                g_assert_true(common <= 5 || (common >= CODE_VENDOR_FIRST && common <= CODE_VENDOR_LAST));
                for (Refusal other = REFUSAL_NONE + 1; other < r; other++) {
                        g_assert_cmpstr(refusal_error_name(other), !=, name);
                        g_assert_cmpstr(refusal_meaning(other), !=, meaning);
                        g_assert_true(common == 0 || refusal_common_code(other) != common);
                }

                /* Somebody can answer with it. */
                for (const Method *const *m = methods; *m; m++)
                        used = used || method_code(*m, r) != CODE_UNSPECIFIED;
                g_assert_true(used);
        }
}

static void test_none(void) {
        g_assert_null(refusal_error_name(REFUSAL_NONE));
        g_assert_cmpuint(refusal_common_code(REFUSAL_NONE), ==, 0);
        for (const Method *const *m = methods; *m; m++)
                g_assert_cmpuint(method_code(*m, REFUSAL_NONE), ==, 0);
        g_assert_null(method_find(""));
        g_assert_null(method_find("createiSCSINode"));
}

/* What a method's table does not have is Unspecified Error, and nothing else is. */
static void test_unknown(void) {
        unsigned n_unknown = 0;

        for (size_t k = 0; methods[k]; k++)
                for (Refusal r = REFUSAL_NONE + 1; r < _REFUSAL_MAX; r++) {
                        const Method *m = methods[k];
                        bool known = refusal_common_code(r) != 0;

                        for (size_t i = 0; i < m->n_codes; i++)
                                known = known || m->codes[i].refusal == r;

                        if (!known) {
                                g_assert_cmpuint(method_code(m, r), ==, CODE_UNSPECIFIED);
                                n_unknown++;
                        } else
                                g_assert_true(method_code(m, r) != CODE_UNSPECIFIED || r == REFUSAL_UNSPECIFIED);
                }
        g_assert_cmpuint(n_unknown, >, 0);

        g_assert_cmpuint(method_code(&method_create_portal_group, REFUSAL_TCP_IN_USE), ==, CODE_UNSPECIFIED);
        g_assert_cmpuint(method_code(&method_create_port, REFUSAL_SESSIONS_ACTIVE), ==, CODE_UNSPECIFIED);
}

static void test_unknown_error_names(void) {
        static const char *const names[] = {
                "",
                "org.iscsi.ConfigurationService.Error.",
                "org.iscsi.ConfigurationService.Error.NotSupporte",
                "org.iscsi.ConfigurationService.Error.NotSupported2",
                "org.iscsi.ConfigurationService.Error.notSupported",
                "org.iscsi.ConfigurationService.error.NotSupported",
                "NotSupported",
                "org.freedesktop.DBus.Error.NotSupported",
                "org.freedesktop.DBus.Error.AccessDenied",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                g_assert_cmpint(refusal_from_error_name(names[i]), ==, REFUSAL_NONE);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/refusal/create-port-contract", test_create_port_contract);
        g_test_add_func("/refusal/other-contracts", test_other_contracts);
        g_test_add_func("/refusal/common-contract", test_common_contract);
        g_test_add_func("/refusal/method-tables", test_method_tables);
        g_test_add_func("/refusal/method-names", test_method_names);
        g_test_add_func("/refusal/refusals", test_refusals);
        g_test_add_func("/refusal/none", test_none);
        g_test_add_func("/refusal/unknown", test_unknown);
        g_test_add_func("/refusal/unknown-error-names", test_unknown_error_names);
        return g_test_run();
}

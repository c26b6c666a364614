/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kinds of objects and associations as data. kinds.def lists the kinds; what can be done with each is in the file of its
 * name. */

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/identifier.h"
typedef struct Model Model;

/* uthash ends the process when memory ends, as everything in here that cannot go on does. */
#include <uthash.h>

typedef enum ObjectType {
        OBJECT_SERVICE,
#define KIND(ENUM, ...) OBJECT_##ENUM,
#include "model/kinds.def"
        _OBJECT_TYPE_MAX,
} ObjectType;

/* The head of every object. PATH is the name by which the outside knows it while it is published, else NULL. */
typedef struct Object {
        ObjectType type;
        char *path;
        UT_hash_handle hh; /* in the model's index by path */
} Object;

/* Whether what is desired is in force. model/state.h derives it. */
typedef enum ObjectState {
        STATE_STARTING, /* not looked at yet */
        STATE_IN_FORCE, /* as desired */
        STATE_DEGRADED, /* nothing of it is in force; the description says why */
        STATE_DRIFTED,  /* in force, but other than desired */
        STATE_DISABLED, /* switched off on request, or made by another program and not enabled */
        STATE_PARTLY,   /* some of its portals are in force */
        STATE_UNKNOWN,  /* it could not be looked at; the description says why */
        _STATE_MAX,
} ObjectState;

typedef struct Service Service;
#define KIND(ENUM, Type, ...) typedef struct Type Type;
#include "model/kinds.def"
typedef struct Binding Binding;
typedef struct Membership Membership;
typedef struct Session Session;

/* What is done about a port or node that another program changed. */
typedef enum DriftPolicy {
        DRIFT_DEFAULT, /* of a node: as the service's */
        DRIFT_REPORT,  /* shown and left alone */
        DRIFT_ENFORCE, /* put back as desired */
        _DRIFT_POLICY_MAX,
} DriftPolicy;

/* What the administrator should know of the service as a whole, one text per topic. */
typedef enum NoticeTopic {
        NOTICE_STORE,
        NOTICE_WATCH,
        NOTICE_BACKEND,
        NOTICE_SESSIONS,
        NOTICE_INITIATOR, /* what is wrong with the files of which initiator ports are made */
        _NOTICE_TOPIC_MAX,
} NoticeTopic;

/* iSCSIConfigurationService: the root of all objects, which lives as long as the model. It has a path, but is not in the
 * index. */
struct Service {
        Object object;
        DriftPolicy drift; /* REPORT or ENFORCE */
        char *notices[_NOTICE_TOPIC_MAX];
};

/* SCSIProtocolController */
struct Node {
        Object object;
        char *name;     /* normalized iSCSI name */
        char *alias;    /* "" if it has none */
        unsigned roles; /* set of ROLE_BIT() */
        bool managed;
        bool host;            /* the host's own as an initiator: model/host-node.h */
        bool host_looked_at;  /* as LOOKED_AT, of that */
        bool persistent;      /* false: gone when the host restarts */
        bool looked_at;       /* since it is in the model, it was seen once what is there of it */
        uint64_t removal;     /* row of the journal: being removed; 0: it is not */
        bool forced;          /* that removal ends sessions */
        bool owed;            /* could not be made yet: it is made, whatever the drift policy is */
        unsigned roles_wrong; /* set of ROLE_BIT() whose backend does not have the node, or does not answer */
        DriftPolicy drift;
        struct {
                ObjectState state;
                char *description;
        } own;                           /* of the node alone, without its ports */
        ObjectState state;               /* the worst of its own and its ports' */
        char *description;               /* of the state; NULL: nothing to say */
        Port *ports;                     /* list through next_of_node */
        unsigned n_ports_in[_STATE_MAX]; /* published ports by state */
        Port *worst;                     /* the one with the lowest Identifier of those in the worst state; NULL: all are well */
        bool going;                      /* is being removed: its state does not matter any more */
        uint64_t tag_hint;               /* no tag below is free, except 0 */
        uint64_t isid_hint;
        UT_hash_handle hh /* by name */, hh_alias;
};

/* iSCSIProtocolEndpoint */
struct Port {
        Object object;
        struct {
                Node *node;
                uint64_t identifier;
        } key;
        uint16_t role;
        bool managed;
        bool enabled;      /* desired */
        uint64_t owed_row; /* row of the journal that says so, from before the last start; 0: none */
        bool owed;         /* may never have been in force as it is desired: it is made so, whatever the drift policy is */
        uint64_t removal;  /* row of the journal: being removed; 0: it is not */
        bool forced;       /* that removal ends sessions */
        struct {
                bool valid;   /* false: the state was set, not derived */
                bool enabled; /* seen to be */
                char *drift, *why;
        } evidence;
        ObjectState state;
        bool moved_by_address; /* its state changed when an address came or went, and the log has not told it yet */
        char *description;
        Binding **bindings; /* in the order in which they were made */
        size_t n_bindings;
        size_t n_listening; /* of the bindings, as told */
        Port *next_of_node, **link_of_node;
        char *record;      /* what the backend of an initiator port calls it, as last seen: sessions name it; NULL: not seen */
        Session *sessions; /* through that record, by number; list through next_of_port */
        unsigned n_sessions;
        UT_hash_handle hh; /* by key */
        UT_hash_handle hh_record;
};

/* BindsTo between a port and its portal: a TCP endpoint (target) or a host address (initiator). */
struct Binding {
        struct {
                Node *node;
                TcpEndpoint *tcp; /* NULL of an initiator's */
        } key;
        Port *port;
        IpEndpoint *ip;      /* of an initiator's */
        bool pending;        /* being put into force: the rules see it, the outside does not */
        bool owed;           /* could not be put into force yet */
        uint64_t removal;    /* row of the journal: being taken out of force; 0: it is not */
        bool listening;      /* a socket was seen to listen on the portal */
        bool told_listening; /* the portal is in ListeningOn */
        Binding *next_of_endpoint, **link_of_endpoint;
        UT_hash_handle hh; /* by key; initiators' are not in it, since they may share addresses */
};

/* TCPProtocolEndpoint: a target's network portal */
struct TcpEndpoint {
        Object object;
        Portal portal;
        char *name; /* canonical text */
        IpEndpoint *ip;
        bool leaving;   /* being deleted: for the rules it is not there */
        bool automatic; /* made by the service: for a host address, or because a port binds to it */
        bool doubtful;  /* made by method before the store was opened again, and not read from it yet */
        Binding *bound_by;
        Membership *groups;
        TcpEndpoint *next_of_ip, **link_of_ip;
        UT_hash_handle hh;
};

/* What is known of a host address besides the address. */
typedef struct IpAttributes {
        bool dual_stack; /* the wildcard "::" that stands for IPv4 too */
        uint8_t prefix_length;
        uint16_t origin; /* CIM_IPProtocolEndpoint.AddressOrigin */
        char interface[IF_NAMESIZE];
} IpAttributes;

/* IPProtocolEndpoint: lives while the host has the address or somebody declared that it will, and unpublished while something
 * refers to it. */
struct IpEndpoint {
        Object object;
        IpAddress address;
        char *name;              /* canonical text */
        bool present;            /* the host has it */
        bool declared;           /* made by method */
        bool leaving;            /* its declaration is being taken back: for the rules there is none */
        char *element_name;      /* of a declared one; NULL: none */
        IpAttributes attributes; /* all zero while it is not present */
        TcpEndpoint *tcp_endpoints;
        Binding *bound_by; /* initiator ports */
        UT_hash_handle hh;
};

/* SystemSpecificCollection: a portal group */
struct PortalGroup {
#define SIZE_OF_GROUP_PATH 72u /* of a number, or "default"; see size.h */
        Object object;
        uint64_t id; /* 0: the built-in group "default" */
        char *element_name;
        Membership *members;
        UT_hash_handle hh;
};

/* A live session of this host as an initiator, as far as its port is concerned. It belongs to the port that has its record; the
 * session or the port may be seen first. */
struct Session {
        uint32_t number; /* the kernel's */
        char *record;    /* NULL: not known yet */
        bool has_isid;
        uint64_t isid;
        Port *port; /* NULL: none has that record */
        Session *next_of_port, **link_of_port;
        UT_hash_handle hh; /* by number */
};

/* MemberOfCollection */
struct Membership {
        PortalGroup *group;
        TcpEndpoint *tcp;
        bool leaving; /* being removed: for the rules it is not there */
        Membership *next_of_group, **link_of_group;
        Membership *next_of_tcp, **link_of_tcp;
};

/* Whether the outside knows it: portals on it can be used. */
static inline bool ip_endpoint_is_known(const IpEndpoint *ip) {
        return ip->present || ip->declared;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "xml-file.h"

#include <libxml/parser.h>
#include <string.h>

#define XML_OPTIONS (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)

xmlDoc *xml_read_file(const char *path) {
        xmlDoc *doc;

        doc = xmlReadFile(path, NULL, XML_OPTIONS);
        if (!doc)
                g_error("%s cannot be read or is not well-formed XML", path);

        return doc;
}

xmlDoc *xml_read_text(const char *text) {
        return xmlReadMemory(text, (int) strlen(text), NULL, NULL, XML_OPTIONS);
}

static xmlNode *element_from(xmlNode *n) {
        while (n && n->type != XML_ELEMENT_NODE)
                n = n->next;

        return n;
}

xmlNode *xml_first(const xmlNode *e) {
        return element_from(e->children);
}

xmlNode *xml_next(const xmlNode *e) {
        return element_from(e->next);
}

bool xml_is(const xmlNode *e, const char *name) {
        return g_str_equal(e->name, name);
}

const char *xml_attribute(const xmlNode *e, const char *name) {
        for (const xmlAttr *a = e->properties; a; a = a->next)
                if (g_str_equal(a->name, name))
                        return a->children ? (const char *) a->children->content : "";

        return NULL;
}

const char *xml_comment_before(const xmlNode *e) {
        const xmlNode *n = e->prev;

        while (n && n->type == XML_TEXT_NODE && xmlIsBlankNode(n))
                n = n->prev;

        return n && n->type == XML_COMMENT_NODE ? (const char *) n->content : NULL;
}

xmlNode *xml_child(const xmlNode *e, const char *name) {
        for (xmlNode *c = xml_first(e); c; c = xml_next(c))
                if (xml_is(c, name))
                        return c;

        return NULL;
}

char *xml_text(const xmlNode *e) {
        xmlChar *content;
        char *r;

        if (!e)
                return g_strdup("");

        content = xmlNodeGetContent(e);
        r = g_strstrip(g_strdup((const char *) content));
        xmlFree(content);
        return r;
}

const char *xml_annotation(const xmlNode *e, const char *name) {
        for (xmlNode *c = xml_first(e); c; c = xml_next(c))
                if (xml_is(c, "annotation") && g_strcmp0(xml_attribute(c, "name"), name) == 0)
                        return xml_attribute(c, "value");

        return NULL;
}

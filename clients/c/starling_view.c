#include "starling_view.h"

/* Version of the map, in bits 7..4 of its first byte, and bit 0: there is a list for RAM. */
#define MAP_VERSION 0x10u
#define MAP_HAS_RAM 0x01u

/* Around a word, these many bytes say what is a site in it. */
#define BEFORE 8u
#define AFTER 4u
#define WORDS_AT_ONCE 16u

/* ---- the map ------------------------------------------------------------------- */

static void fail(starling_view_map *p, int result)
{
    if (p->result == STARLING_VIEW_OK) {
        p->result = result;
    }
}

static uint32_t parse_byte(starling_view_map *p)
{
    uint32_t v = 0u;
    if (p->result == STARLING_VIEW_OK) {
        if (p->left == 0u) {
            fail(p, STARLING_VIEW_SHORT);
        } else {
            v = *p->at;
            p->at++;
            p->left--;
        }
    }
    return v;
}

/* At most 32 bits, in no more bytes than they need. */
static uint32_t parse_varint(starling_view_map *p)
{
    uint32_t v = 0u;
    uint32_t shift = 0u;
    uint32_t c;
    do {
        c = parse_byte(p);
        if ((shift == 28u) && (c > 0x0Fu)) {
            fail(p, STARLING_VIEW_RANGE);
        }
        v |= (c & 0x7Fu) << shift;
        shift += 7u;
    } while (((c & 0x80u) != 0u) && (shift < 35u));
    if ((c == 0u) && (shift > 7u)) {
        fail(p, STARLING_VIEW_RANGE);
    }
    return (p->result == STARLING_VIEW_OK) ? v : 0u;
}

/* Whether v has bits that v * 2^shift has no room for. */
static int overflows(uint32_t v, uint32_t shift)
{
    return ((shift > 0u) && ((v >> (32u - shift)) != 0u)) ? 1 : 0;
}

static uint32_t parse_base(starling_view_map *p)
{
    uint32_t shift = parse_byte(p);
    uint32_t odd = parse_varint(p);
    if ((shift > 31u) || (overflows(odd, shift) != 0) || (((odd & 1u) == 0u) && ((odd | shift) != 0u))) {
        fail(p, STARLING_VIEW_RANGE);
        shift = 0u;
    }
    return odd << shift;
}

/* 0, 1, 2, 3, ... stand for 0, -1, 1, -2, ..., modulo 2^32. */
static uint32_t unzigzag(uint32_t v)
{
    return (v >> 1) ^ (0u - (v & 1u));
}

/* Whether all bits below 2^shift of a union of numbers are 0, and bit shift is not. */
static int is_unit(uint32_t sum, uint32_t shift)
{
    uint32_t units = sum >> shift;
    return (((units << shift) == sum) && (((units & 1u) != 0u) || (shift == 15u))) ? 1 : 0;
}

static void rewind_list(starling_view_list *l)
{
    l->next = l->first;
    l->left = l->count;
    l->from = 0u;
    l->to = 0u;
    l->delta = 0u;
    l->change = 0u;
}

/* Reads the segment that begins where the look-up ended. */
static void next_segment(starling_view_list *l)
{
    uint32_t starts = l->units & 0x0Fu;
    uint32_t deltas = l->units >> 4;
    uint32_t step = parse_varint(&l->next);
    uint32_t change = parse_varint(&l->next);
    if ((overflows(step, starts) != 0) || (overflows(change, deltas) != 0) || (change == 0u)) {
        fail(&l->next, STARLING_VIEW_RANGE);
    }
    l->to += step << starts;
    l->change = unzigzag(change) << deltas;
    l->left--;
}

/* Sets l up and checks all segments. */
static void parse_list(starling_view_map *p, starling_view_list *l)
{
    uint32_t before = 0u;
    uint32_t starts = 0u;
    uint32_t deltas = 0u;
    uint32_t delta = 0u;
    l->count = parse_varint(p);
    l->units = (l->count > 0u) ? parse_byte(p) : 0u;
    if (l->count > (p->left / 2u)) {
        fail(p, STARLING_VIEW_SHORT);
        l->count = 0u;
    }
    l->first = *p;
    rewind_list(l);
    while ((l->left > 0u) && (l->next.result == STARLING_VIEW_OK)) {
        next_segment(l);
        if ((l->to < before) || ((l->to == before) && ((l->left + 1u) < l->count))) {
            fail(&l->next, STARLING_VIEW_RANGE);
        }
        before = l->to;
        delta += l->change;
        starts |= before;
        deltas |= delta;
    }
    if ((l->count > 0u) && ((is_unit(starts, l->units & 0x0Fu) == 0) || (is_unit(deltas, l->units >> 4) == 0))) {
        fail(&l->next, STARLING_VIEW_RANGE);
    }
    *p = l->next;
    rewind_list(l);
}

/* By how much the address has moved, modulo 2^32. */
static uint32_t look_up(starling_view_list *l, uint32_t address)
{
    if (address < l->from) {
        rewind_list(l);
    }
    while ((address >= l->to)) {
        l->from = l->to;
        l->delta += l->change;
        l->change = 0u;
        if (l->left == 0u) {
            l->to = 0xFFFFFFFFu;
            break;
        }
        next_segment(l);
    }
    return l->delta;
}

int starling_view_open(starling_view *view, const uint8_t *map, uint32_t length, uint32_t *used,
                       starling_view_flash flash, void *context, uint32_t size)
{
    starling_view_map p;
    uint32_t first;
    p.at = map;
    p.left = length;
    p.result = STARLING_VIEW_OK;

    view->flash = flash;
    view->context = context;
    view->size = 0u; /* until the map is checked, there is nothing to read */
    view->ram_base = 0u;
    view->ram_size = 0u;
    view->ram.first = p;
    view->ram.count = 0u;
    rewind_list(&view->ram);

    first = parse_byte(&p);
    if ((p.result == STARLING_VIEW_OK) && ((first & ~MAP_HAS_RAM) != MAP_VERSION)) {
        fail(&p, STARLING_VIEW_UNKNOWN);
    }
    view->flash_base = parse_base(&p);
    parse_list(&p, &view->sites);
    if ((first & MAP_HAS_RAM) != 0u) {
        uint32_t units;
        view->ram_base = parse_base(&p);
        units = parse_varint(&p);
        parse_list(&p, &view->ram);
        if ((view->ram.count == 0u) || (units == 0u) || (units > 0x00FFFFFFu) ||
            (((view->ram_base >> 8) + units) > 0x01000000u) ||
            ((((view->ram_base >> 8) + units) == 0x01000000u) && ((view->ram_base & 0xFFu) != 0u))) {
            fail(&p, STARLING_VIEW_RANGE);
        }
        view->ram_size = units << 8;
    }
    if (((view->flash_base & 3u) != 0u) || (size > 0x7FFFFFFFu)) {
        fail(&p, STARLING_VIEW_RANGE);
    }
    view->targets = view->sites;
    *used = length - p.left;
    if (p.result == STARLING_VIEW_OK) {
        view->size = size;
    }
    return p.result;
}

/* ---- sites ------------------------------------------------------------------- */

static uint32_t half_at(const uint8_t *b)
{
    return (uint32_t)b[0] | ((uint32_t)b[1] << 8);
}

static uint32_t word_at(const uint8_t *b)
{
    return half_at(b) | (half_at(&b[2]) << 16);
}

/* BL or B.W, to look at. */
static int branches(const uint8_t *b)
{
    return (((half_at(b) & 0xF800u) == 0xF000u) && ((half_at(&b[2]) & 0x9000u) == 0x9000u)) ? 1 : 0;
}

/* The beginning of a shift by a register, an extension, a multiplication or a division: the second half
 * looks like the first one of a branch. */
static int arithmetic(const uint8_t *b)
{
    return ((half_at(b) & 0xFE00u) == 0xFA00u) ? 1 : 0;
}

/* BL or B.W. Where two would overlap, it is the first. Looks at b[-6] to b[3]. */
static int is_branch(const uint8_t *b)
{
    int is;
    if (branches(b) == 0) {
        is = 0;
    } else if (arithmetic(b - 2) != 0) {
        is = ((branches(b - 4) != 0) && (arithmetic(b - 6) == 0)) ? 1 : 0;
    } else {
        is = ((branches(b - 2) == 0) || (arithmetic(b - 4) != 0)) ? 1 : 0;
    }
    return is;
}

/* The branch at b, which is that of the offset site, first half in the low bits. */
static uint32_t move_branch(starling_view *v, const uint8_t *b, uint32_t site)
{
    uint32_t h1 = half_at(b);
    uint32_t h2 = half_at(&b[2]);
    uint32_t s = (h1 >> 10) & 1u;
    uint32_t i1 = ((h2 >> 13) ^ s ^ 1u) & 1u;
    uint32_t i2 = ((h2 >> 11) ^ s ^ 1u) & 1u;
    uint32_t d = (s << 24) | (i1 << 23) | (i2 << 22) | ((h1 & 0x3FFu) << 12) | ((h2 & 0x7FFu) << 1);
    uint32_t target = site + 4u + (d | (0u - (s << 24)));
    if (target < v->size) {
        d += look_up(&v->targets, target) - look_up(&v->sites, site);
        s = (d >> 24) & 1u;
        i1 = ((d >> 23) ^ s ^ 1u) & 1u;
        i2 = ((d >> 22) ^ s ^ 1u) & 1u;
        h1 = (h1 & 0xF800u) | (s << 10) | ((d >> 12) & 0x3FFu);
        h2 = (h2 & 0xD000u) | (i1 << 13) | (i2 << 11) | ((d >> 1) & 0x7FFu);
    }
    return h1 | (h2 << 16);
}

/* Numbers of n bits with a sign, modulo 2^32. */
static uint32_t extend(uint32_t v, uint32_t n)
{
    uint32_t sign = (uint32_t)1u << (n - 1u);
    return (v ^ sign) - sign;
}

/* The 16-bit instruction h at the offset site: LDR from a pool, B<cond>, B, CBZ or CBNZ; any other is
 * returned as it is. */
static uint32_t move_short(starling_view *v, uint32_t h, uint32_t site)
{
    uint32_t pc = site + 4u;
    uint32_t mask;   /* the bits that say where to */
    uint32_t target;
    uint32_t moved;
    uint32_t there;
    uint32_t d;
    if ((h & 0xF800u) == 0x4800u) {
        mask = 0x00FFu;
        target = (pc & ~(uint32_t)3u) + ((h & 0xFFu) << 2);
    } else if (((h & 0xF000u) == 0xD000u) && ((h & 0x0E00u) != 0x0E00u)) {
        mask = 0x00FFu;
        target = pc + (extend(h & 0xFFu, 8u) << 1);
    } else if ((h & 0xF800u) == 0xE000u) {
        mask = 0x07FFu;
        target = pc + (extend(h & 0x7FFu, 11u) << 1);
    } else if ((h & 0xF500u) == 0xB100u) {
        mask = 0x02F8u;
        target = pc + (((h >> 3) & 0x40u) | ((h >> 2) & 0x3Eu));
    } else {
        return h;
    }
    if (target >= v->size) {
        return h;
    }
    moved = pc + look_up(&v->sites, site);
    there = target + look_up(&v->targets, target);
    d = there - moved;
    if ((h & 0xF800u) == 0x4800u) {
        d = (there - (moved & ~(uint32_t)3u)) >> 2;
    } else if (mask == 0x02F8u) {
        d = ((d & 0x40u) << 3) | ((d & 0x3Eu) << 2);
    } else {
        d >>= 1;
    }
    return (h & ~mask) | (d & mask);
}

/* The halfword at b, which is in no pointer. */
static uint32_t move_half(starling_view *v, const uint8_t *b, uint32_t site)
{
    uint32_t h = half_at(b);
    if (is_branch(b) != 0) {
        h = move_branch(v, b, site) & 0xFFFFu;
    } else if (is_branch(b - 2) != 0) {
        h = move_branch(v, b - 2, site - 2u) >> 16;
    } else if ((half_at(b - 2) < 0xE800u) || (branches(b - 4) != 0)) {
        h = move_short(v, h, site); /* else it looks like the second half of an instruction */
    }
    return h;
}

/* The word at b, which is that of the offset site. Looks at b[-8] to b[7]. */
static uint32_t move_word(starling_view *v, const uint8_t *b, uint32_t site)
{
    uint32_t w = word_at(b);
    if ((site < v->size) && ((v->size - site) >= 4u) &&
        (is_branch(b - 2) == 0) && (is_branch(b) == 0) && (is_branch(b + 2) == 0)) {
        uint32_t offset = w - v->flash_base;
        if (offset < v->size) {
            return w + look_up(&v->targets, offset);
        }
        offset = w - v->ram_base;
        if (offset < v->ram_size) {
            return w + look_up(&v->ram, offset);
        }
    }
    return move_half(v, b, site) | (move_half(v, b + 2, site + 2u) << 16);
}

/* ---- reading ------------------------------------------------------------------ */

int starling_view_read(starling_view *view, uint32_t offset, uint8_t *buffer, uint32_t length)
{
    uint8_t raw[BEFORE + (4u * WORDS_AT_ONCE) + AFTER];
    uint32_t done = 0u;
    if ((offset > view->size) || (length > (view->size - offset))) {
        return STARLING_VIEW_RANGE;
    }
    while (done < length) {
        uint32_t from = (offset + done) & ~(uint32_t)3u;             /* of the words */
        uint32_t skip = (offset + done) - from;                      /* bytes of the first that are not asked for */
        uint32_t words = ((length - done) + skip + 3u) / 4u;
        uint32_t first = (from < BEFORE) ? 0u : (from - BEFORE);     /* of the bytes that are read */
        uint32_t room;
        uint32_t i;
        if (words > WORDS_AT_ONCE) {
            words = WORDS_AT_ONCE;
        }
        room = (from + (4u * words) + AFTER) - first;
        if (room > (view->size - first)) {
            room = view->size - first;
        }
        for (i = 0u; i < (uint32_t)sizeof(raw); i++) {
            raw[i] = 0u; /* outside of the image is zero, which is no branch */
        }
        if (view->flash(view->context, first, &raw[(BEFORE + first) - from], room) != 0) {
            return STARLING_VIEW_READ;
        }
        for (i = 0u; i < words; i++) {
            uint32_t w = move_word(view, &raw[BEFORE + (4u * i)], from + (4u * i));
            for (w >>= 8u * skip; (skip < 4u) && (done < length); skip++) {
                buffer[done] = (uint8_t)(w & 0xFFu);
                w >>= 8;
                done++;
            }
            skip = 0u;
        }
    }
    return STARLING_VIEW_OK;
}

#ifndef BETATUNE_TRAINERS_RANK_GROUPS_H
#define BETATUNE_TRAINERS_RANK_GROUPS_H
/*
 * An extension of plugin.h, C99: the ranks of a trial form groups, and one group's end is not the
 * trial's. host.extension(ctx, BETATUNE_RANK_GROUPS) is a betatune_rank_groups where a trial has
 * several ranks; NULL where it has one, and from a host that does not know of groups. `ctx` of the
 * functions is the host's.
 */
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BETATUNE_RANK_GROUPS "betatune.rank-groups.1"

typedef struct betatune_rank_groups {
  uint32_t size;
  /* group_of[r] is the group of rank r, for all `ranks` ranks of the trial; every rank calls this
   * with the same numbers, in setup() or load(). From then on a rank that dies, fails with
   * BETATUNE_INFRA or keeps the others waiting too long ends the ranks of its group alone: the
   * others go on, in the same attempt, and must not wait for it. The group of rank 0 is the trial's
   * own: with it all end, as they do after any other failure of any rank. Returns BETATUNE_OK, or
   * BETATUNE_ERROR for another number of ranks than the trial has. */
  int32_t (*declare)(void* ctx, const int32_t* group_of, int32_t ranks);
  /* On rank 0 (on others it does nothing): ends the ranks of a group that does not come any more,
   * and returns when they are gone. `why` is for the log; of ranks that have died it says that
   * itself. */
  void (*end)(void* ctx, int32_t group, const char* why);
} betatune_rank_groups;

#ifdef __cplusplus
}
#endif
#endif

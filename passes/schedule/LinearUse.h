// What a module says of how its linears are used, for the choice of their schedules.
#ifndef BAMBAC_PASSES_SCHEDULE_LINEARUSE_H
#define BAMBAC_PASSES_SCHEDULE_LINEARUSE_H

#include "dialects/bamba/Bamba.h"

namespace bambac {

/// The numbers of rows that a linear of a kernel is likely to have: any number that the next shorter chunk has no room
/// for. Long prompts are cut into the longest chunks, so that those are as likely full as not. Of the rows whose logits
/// are kept there are few, since most steps keep the last one of a prompt.
SmallVector<int> getLikelyRows(LinearOp linear);

/// True where more than half of the rows are there in every step: all are, or they are those of decoded sequences, for
/// half of which there is another entry point.
bool hasMostRows(LinearOp linear);

/// True where fewer than an eighth of the launches of linears with as many rows have as many columns too. (Linears of
/// the same rows and columns share their code.)
bool isRareShape(LinearOp linear);

} // namespace bambac

#endif // BAMBAC_PASSES_SCHEDULE_LINEARUSE_H

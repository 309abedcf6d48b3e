// Messages that a person has corrected, found by the key of their text.
#pragma once

#include "core/text/normalise.h"
#include "pg/pg.h"

// True when the active snapshot sees any corrected message of the model. The caller has checked access to the model.
bool correction_exists(Oid schema, text* model_name);

// The intent of the newest correction of this text, palloc'd, or null.
text* correction_find(Oid schema, text* model_name, const retrain::TextKey& key);

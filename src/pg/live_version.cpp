// Resolves a model's live version, memoised for as long as the snapshot sees the same rows.
//
// Invalidation messages alone serve a stale model for ever: one that arrives under an old snapshot is used up by a reload
// that still sees the old row. So nothing is invalidated here; the answer is kept together with everything that decides
// what the snapshot sees, and asked for again as soon as any of it differs:
//   - a commit moves xmax, or takes a number out of the running transactions (xcnt, subxcnt);
//   - an own write moves curcid, and its transaction and subtransaction have numbers of their own;
//   - row-level security depends on the current user;
//   - under SERIALIZABLE a transaction that has not read the rows itself is in nobody's way: it asks once.
// Without an own transaction number there are no own writes, and two snapshots of one xmax see the same rows when as many
// transactions below it are running: while xmax stands, running ones only end. So the answer outlives the transaction that
// asked, and a connection that only reads asks again when somebody has written.
#include "pg/live_version.h"

#include "pg/catalog.h"
#include "pg/correction_lookup.h"
#include "pg/key_scan.h"
#include "pg/shared_models.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/sha2.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/snapshot.h"
}

struct SnapshotToken {
  TransactionId xmin, xmax;
  uint32 xcnt;
  int32 subxcnt;
  CommandId curcid;
  LocalTransactionId lxid;
  SubTransactionId subxact;
  Oid user;
  bool suboverflowed, in_recovery;
};

struct Memo {
  bool valid;
  SnapshotToken token;
  Oid schema;
  int64 asked_version;
  uint32 name_size;
  char name[256];
  ResolvedVersion resolved;
};

static constexpr int kMemos = 8;
static Memo memos[kMemos];
static int next_memo = 0;

static bool take_token(SnapshotToken* token) {
  if (!ActiveSnapshotSet()) return false;
  const Snapshot snapshot = GetActiveSnapshot();
  if (snapshot->snapshot_type != SNAPSHOT_MVCC) return false;
  memset(token, 0, sizeof *token);
  token->xmin = snapshot->xmin;
  token->xmax = snapshot->xmax;
  token->xcnt = snapshot->xcnt;
  token->subxcnt = snapshot->subxcnt;
  const bool may_have_written = TransactionIdIsValid(GetTopTransactionIdIfAny());
  if (may_have_written) {
    token->curcid = snapshot->curcid;
    token->subxact = GetCurrentSubTransactionId();
  }
  if (may_have_written || IsolationIsSerializable()) {
#if PG_VERSION_NUM >= 170000
    token->lxid = MyProc->vxid.lxid;
#else
    token->lxid = MyProc->lxid;
#endif
  }
  token->user = GetUserId();
  token->suboverflowed = snapshot->suboverflowed;
  token->in_recovery = snapshot->takenDuringRecovery;
  return true;
}

static SPIPlanPtr prepare_kept(const char* sql, int n_args, Oid* types) {
  SPIPlanPtr plan = SPI_prepare(sql, n_args, types);
  if (plan == nullptr || SPI_keepplan(plan) != 0)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("a statement of pg_retrain cannot be prepared")));
  return plan;
}

// The kept plans name their tables by schema: another schema, or a renamed one, needs plans of its own.
struct Plans {
  char schema_name[NAMEDATALEN];
  SPIPlanPtr live, by_id, artifact;
};

// One of the three, prepared when it is first wanted: most connections never ask for a version by its number.
static SPIPlanPtr plan_for(Oid schema, SPIPlanPtr Plans::*which) {
  static Plans plans;
  const char* schema_name = get_namespace_name(schema);
  if (schema_name == nullptr || strcmp(plans.schema_name, schema_name) != 0) {
    for (SPIPlanPtr* plan : {&plans.live, &plans.by_id, &plans.artifact}) {
      if (*plan != nullptr) SPI_freeplan(*plan);
      *plan = nullptr;
    }
    strlcpy(plans.schema_name, schema_name == nullptr ? "" : schema_name, sizeof plans.schema_name);
  }
  if (plans.*which != nullptr) return plans.*which;
  const char* versions = own_name(schema, "ai_model_versions");
  Oid by_name[] = {TEXTOID}, by_number[] = {INT8OID}, by_both[] = {INT8OID, TEXTOID};
  static constexpr char kColumns[] = "id, version, artifact_sha256, confidence_threshold, artifact_crc32c";
  if (which == &Plans::live)
    plans.live = prepare_kept(
        psprintf("SELECT %s FROM %s WHERE model_name OPERATOR(pg_catalog.=) $1 AND is_active", kColumns, versions), 1,
        by_name);
  else if (which == &Plans::by_id)
    plans.by_id = prepare_kept(psprintf("SELECT %s FROM %s WHERE id OPERATOR(pg_catalog.=) $1 AND model_name "
                                        "OPERATOR(pg_catalog.=) $2",
                                        kColumns, versions),
                               2, by_both);
  else
    plans.artifact =
        prepare_kept(psprintf("SELECT artifact FROM %s WHERE id OPERATOR(pg_catalog.=) $1", versions), 1, by_number);
  return plans.*which;
}

// One column of a version's row, wherever that was read.
struct VersionValue {
  Datum value;
  bool is_null;
};

static constexpr const char* kVersionColumns[] = {"id", "version", "artifact_sha256", "confidence_threshold",
                                                  "artifact_crc32c"};

static void fill_resolved(const VersionValue* columns, ResolvedVersion* resolved) {
  resolved->version_id = DatumGetInt64(columns[0].value);
  text_to_cstring_buffer(DatumGetTextPP(columns[1].value), resolved->version, sizeof resolved->version);
  text_to_cstring_buffer(DatumGetTextPP(columns[2].value), resolved->digest, sizeof resolved->digest);
  resolved->confidence_threshold = columns[3].is_null ? 0 : DatumGetFloat4(columns[3].value);
  resolved->has_checksum = !columns[4].is_null;
  resolved->checksum = columns[4].is_null ? 0 : static_cast<uint32_t>(DatumGetInt64(columns[4].value));
  // Who may write what they like into a row of this database reaches no model of another one.
  snprintf(resolved->cache_key, sizeof resolved->cache_key, "%s.%08x.%u", resolved->digest, resolved->checksum,
           MyDatabaseId);
}

// The live version by its index alone. Not for users that row-level security or missing rights restrict: false for them.
static bool read_live_directly(Oid schema, text* model_name, ResolvedVersion* resolved) {
  const Oid table_id = get_relname_relid("ai_model_versions", schema);
  if (!OidIsValid(table_id) || check_enable_rls(table_id, InvalidOid, true) == RLS_ENABLED ||
      pg_class_aclcheck(table_id, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
    return false;
  static constexpr RegProcedure kEquals[] = {F_TEXTEQ};
  const Datum values[] = {PointerGetDatum(model_name)};
  KeyScan s;
  begin_key_scan(&s, schema, "ai_model_versions", "ai_model_versions_live_idx", 1, kEquals, values);
  if (next_row(&s)) {
    VersionValue columns[lengthof(kVersionColumns)];
    for (size_t i = 0; i < lengthof(kVersionColumns); ++i)
      columns[i].value = slot_getattr(s.slot, column_number(&s, kVersionColumns[i]), &columns[i].is_null);
    fill_resolved(columns, resolved);
  }
  end_key_scan(&s);
  return true;
}

// The live version (version_id 0) or the one asked for, as the caller may see it.
static void read_by_statement(Oid schema, text* model_name, int64 version_id, ResolvedVersion* resolved) {
  SPI_connect();
  Datum name = PointerGetDatum(model_name);
  Datum both[] = {Int64GetDatum(version_id), name};
  const int code = version_id > 0 ? SPI_execute_plan(plan_for(schema, &Plans::by_id), both, nullptr, true, 1)
                                  : SPI_execute_plan(plan_for(schema, &Plans::live), &name, nullptr, true, 2);
  if (code != SPI_OK_SELECT)
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("the live version cannot be read"),
                    errdetail("SPI code %s.", SPI_result_code_string(code))));
  if (SPI_processed > 0) {
    VersionValue columns[lengthof(kVersionColumns)];
    for (size_t i = 0; i < lengthof(kVersionColumns); ++i)
      columns[i].value =
          SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, static_cast<int>(i + 1), &columns[i].is_null);
    fill_resolved(columns, resolved);
  }
  SPI_finish();
}

static void ask_database(Oid schema, text* model_name, int64 version_id, ResolvedVersion* resolved) {
  memset(resolved, 0, sizeof *resolved);
  if (version_id > 0 || !read_live_directly(schema, model_name, resolved))
    read_by_statement(schema, model_name, version_id, resolved);
  if (version_id > 0 && resolved->version_id == 0)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                    errmsg("model \"%s\" has no version " INT64_FORMAT, text_to_cstring(model_name), version_id),
                    errhint("look in ai_model_metadata for the versions that exist")));
  // Row-level security let the live version be seen, so the caller may have the model's corrections too.
  resolved->has_corrections = version_id == 0 && resolved->version_id != 0 && correction_exists(schema, model_name);
}

const ResolvedVersion* resolve_version(Oid schema, text* model_name, int64 version_id) {
  SnapshotToken token;
  const bool memoisable = take_token(&token);
  const char* name = VARDATA_ANY(model_name);
  const auto name_size = static_cast<uint32>(VARSIZE_ANY_EXHDR(model_name));
  if (memoisable) {
    for (auto& memo : memos)
      if (memo.valid && memo.schema == schema && memo.asked_version == version_id && memo.name_size == name_size &&
          memcmp(memo.name, name, name_size) == 0 && memcmp(&memo.token, &token, sizeof token) == 0)
        return &memo.resolved;
  }
  ResolvedVersion resolved;
  ask_database(schema, model_name, version_id, &resolved);
  Memo* memo = &memos[next_memo];
  next_memo = (next_memo + 1) % kMemos;
  memo->valid = false;
  memo->resolved = resolved;
  // The question itself may have been answered under another command of this transaction: keep it only if nothing moved.
  SnapshotToken after;
  if (memoisable && name_size <= sizeof memo->name && take_token(&after) && memcmp(&after, &token, sizeof after) == 0) {
    memo->token = token;
    memo->schema = schema;
    memo->asked_version = version_id;
    memo->name_size = name_size;
    memcpy(memo->name, name, name_size);
    memo->valid = true;
  }
  return &memo->resolved;
}

// True when the bytes are those that their row names: a model is cached under its row's digest and must never be another
// one. The checksum of the header is compared here and the bytes against it where the model is decoded: SHA-256 of the
// same bytes costs ten times as much, a fifth of a connection's first prediction. verify_model still computes it.
static bool is_named_by(bytea* artifact, const ResolvedVersion* resolved) {
  if (resolved->has_checksum) {
    const auto stated =
        retrain::StatedChecksum({reinterpret_cast<const uint8_t*>(VARDATA_ANY(artifact)), VARSIZE_ANY_EXHDR(artifact)});
    return stated.has_value() && *stated == resolved->checksum;
  }
  bytea* sum = DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, PointerGetDatum(artifact)));
  char hex[2 * PG_SHA256_DIGEST_LENGTH + 1];
  hex_encode(VARDATA_ANY(sum), PG_SHA256_DIGEST_LENGTH, hex);
  hex[2 * PG_SHA256_DIGEST_LENGTH] = '\0';
  return strcmp(hex, resolved->digest) == 0;
}

// The version's bytes as they are stored, copied into `context`. Error XX001 when they are not those that the row names or
// no model.
static std::span<const uint8_t> read_artifact(Oid schema, const ResolvedVersion* resolved, MemoryContext context,
                                              const char* owner) {
  SPI_connect();
  Datum id = Int64GetDatum(resolved->version_id);
  bool is_null = true;
  if (SPI_execute_plan(plan_for(schema, &Plans::artifact), &id, nullptr, true, 1) != SPI_OK_SELECT ||
      SPI_processed != 1)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("%s is gone", owner)));
  const Datum stored = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
  // Straight into what may become the cache entry's own memory.
  const MemoryContext old = MemoryContextSwitchTo(context);
  bytea* artifact = is_null ? nullptr : DatumGetByteaPCopy(stored);
  MemoryContextSwitchTo(old);
  if (artifact == nullptr || !is_named_by(artifact, resolved))
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("stored model is corrupt"),
                    errdetail("%s: the bytes are not those of its digest", owner),
                    errhint("restore the version from a backup, or drop it and train again")));
  SPI_finish();
  const std::span bytes(reinterpret_cast<const uint8_t*>(VARDATA_ANY(artifact)), VARSIZE_ANY_EXHDR(artifact));
  model_check(bytes, owner);
  return bytes;
}

static CachedModel* load_any(Oid schema, text* model_name, const ResolvedVersion* resolved) {
  const char* owner = psprintf("version %s of model \"%s\"", resolved->version, text_to_cstring(model_name));
  // An error before the cache adopts it frees the context with the caller's.
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "pg_retrain model", ALLOCSET_SMALL_SIZES);
  std::span<const uint8_t> artifact = shared_models_pin(resolved->cache_key, context);
  uint64_t own_bytes = 0;
  if (artifact.empty()) {
    const MemoryContext copy = AllocSetContextCreate(context, "pg_retrain artifact", ALLOCSET_SMALL_SIZES);
    const std::span<const uint8_t> stored = read_artifact(schema, resolved, copy, owner);
    artifact = shared_models_put(resolved->cache_key, stored, context);
    if (artifact.empty()) {
      artifact = stored;
      own_bytes = stored.size();
    } else {
      MemoryContextDelete(copy);
    }
  }
  return model_cache_adopt(resolved->cache_key, context, artifact, own_bytes, owner);
}

// What a model of a kind is, and what asks it.
static void describe_kind(retrain::ModelKind kind, const char** what, const char** asked_by) {
  switch (kind) {
    case retrain::ModelKind::kTable:
      *what = "a model of a table";
      *asked_by = "predict_value(), predict_class() or predict_cluster()";
      return;
    case retrain::ModelKind::kForecast:
      *what = "a forecast";
      *asked_by = "forecast()";
      return;
    default:
      *what = "an intent model";
      *asked_by = "predict_intent() or classify_intent()";
  }
}

static void refuse_kind(text* model_name, retrain::ModelKind kind, retrain::ModelKind wanted) {
  const char *is, *asked_by, *wants, *unused;
  describe_kind(kind, &is, &asked_by);
  describe_kind(wanted, &wants, &unused);
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                  errmsg("model \"%s\" is not %s", text_to_cstring(model_name), wants), errdetail("it is %s", is),
                  errhint("use %s", asked_by)));
}

CachedModel* load_version(Oid schema, text* model_name, const ResolvedVersion* resolved, retrain::ModelKind wanted) {
  CachedModel* cached = model_cache_find(resolved->cache_key);
  if (cached == nullptr) cached = load_any(schema, model_name, resolved);
  if (cached->model->kind() != wanted) refuse_kind(model_name, cached->model->kind(), wanted);
  return cached;
}

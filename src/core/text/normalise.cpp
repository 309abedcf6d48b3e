// Text normalisation on utf8proc, with short ways for ASCII and Latin text (see normalise.h).
//
// A text is read cluster by cluster: a starter and the characters that may compose with it. A cluster is decomposed,
// changed (case, accents), put in canonical order and composed again. Clusters are bounded, so the whole is linear.
#include "core/text/normalise.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>

#include "core/text/utf8.h"

namespace retrain {
namespace {

enum class Form : uint8_t { kComposed, kLower, kLowerSpanish, kLowerUnicode, kIdentity };

// A starter and 32 marks. No orthography comes near; a longer cluster is cut there and its parts are composed alone,
// so a million marks on one letter cannot make the canonical ordering quadratic.
constexpr size_t kMaxCluster = 33;

// The longest full decomposition of one code point in Unicode is 18 (U+FDFA).
constexpr size_t kMaxDecomposition = 32;

constexpr uint64_t kHighBits = 0x8080808080808080ull;

// Returns how many bytes from `p` on are ASCII.
size_t AsciiRun(const char* p, const char* end) {
  const char* q = p;
  for (uint64_t word; end - q >= 8; q += 8) {
    std::memcpy(&word, q, 8);
    if (word & kHighBits) break;
  }
  while (q < end && static_cast<uint8_t>(*q) < 0x80) ++q;
  return static_cast<size_t>(q - p);
}

// Appends `size` ASCII bytes in lower case, eight at a time.
void AppendLowerAscii(const char* p, size_t size, std::string& out) {
  const size_t before = out.size();
  out.append(p, size);
  char* q = out.data() + before;
  char* const end = q + size;
  for (uint64_t word; end - q >= 8; q += 8) {
    std::memcpy(&word, q, 8);
    // The high bit of each byte of `from_a` says "'A' or above", of `after_z` "above 'Z'"; bytes are below 0x80.
    const uint64_t from_a = word + 0x3F3F3F3F3F3F3F3Full, after_z = word + 0x2525252525252525ull;
    word |= ((from_a & ~after_z) & kHighBits) >> 2;
    std::memcpy(q, &word, 8);
  }
  for (; q < end; ++q) {
    if (*q >= 'A' && *q <= 'Z') *q = static_cast<char>(*q | 0x20);
  }
}

// Says whether the character at `p` may change the one before it: a combining mark (U+0300 and above), or a soft
// hyphen, which is removed and may stand between a letter and its mark.
bool MayCombine(const char* p, const char* end) {
  if (p == end) return false;
  const auto lead = static_cast<uint8_t>(*p);
  return lead >= 0xCC || (lead == 0xC2 && p + 1 < end && static_cast<uint8_t>(p[1]) == 0xAD);
}

// Says whether the character never composes with or moves before an earlier one. All that compose as a second part
// are marks (category M) or Hangul vowels and final consonants.
bool StartsCluster(char32_t c, const utf8proc_property_t& property) {
  if (property.combining_class != 0) return false;
  if (c >= 0x1160 && c <= 0x11FF) return false;
  return property.category < UTF8PROC_CATEGORY_MN || property.category > UTF8PROC_CATEGORY_ME;
}

// The vowels whose accents do not tell texts apart. Greek is here because its capitals are written without accents;
// Cyrillic й is not: it is a letter of its own, as ñ is.
bool IsPlainVowel(char32_t c) {
  switch (utf8proc_tolower(static_cast<utf8proc_int32_t>(c))) {
    case 'a':
    case 'e':
    case 'i':
    case 'o':
    case 'u':
    case 0x3B1:
    case 0x3B5:
    case 0x3B7:
    case 0x3B9:
    case 0x3BF:
    case 0x3C5:
    case 0x3C9:
      return true;
    default:
      return false;
  }
}

// The classic recipe's table.
char32_t FoldSpanish(char32_t c) {
  switch (c) {
    case 0xE1:
      return 'a';
    case 0xE9:
      return 'e';
    case 0xED:
      return 'i';
    case 0xF3:
      return 'o';
    case 0xFA:
    case 0xFC:
      return 'u';
    case 0xF1:
      return 'n';
    default:
      return c;
  }
}

// One Latin-1 or Latin Extended-A character in a form, or size 0: take the long way.
struct ShortForm {
  uint8_t size = 0;
  char bytes[7] = {};
};
constexpr char32_t kShortFormsBegin = 0x80, kShortFormsEnd = 0x180;
using ShortForms = std::array<ShortForm, kShortFormsEnd - kShortFormsBegin>;

class Normaliser {
 public:
  // `short_forms` may be null: the table itself is made by the long way.
  Normaliser(Form form, const ShortForms* short_forms, std::string& out)
      : form_(form), short_forms_(short_forms), out_(out) {}

  // Appends the normal form of `utf8`.
  void Run(std::string_view utf8, const Stop& stop) {
    const char* p = utf8.data();
    const char* const end = p + utf8.size();
    const char* poll_at = p;
    while (p < end) {
      if (static_cast<size_t>(p - poll_at) >= kTextPollBytes) {
        stop.Poll();
        poll_at = p;
      }
      if (const size_t run = PlainAscii(p, end); run != 0) {
        EndCluster();
        AppendAscii(p, run);
        p += run;
      } else if (const ShortForm* form = FindShortForm(p, end); form != nullptr) {
        EndCluster();
        AppendPlain(std::string_view(form->bytes, form->size));
        p += 2;
      } else {
        char32_t c = 0;
        p += DecodeUtf8(p, end, &c);
        Read(c);
      }
    }
    EndCluster();
  }

 private:
  // Returns the bytes at `p`, at most one poll's worth, that are ASCII and do not combine with what follows.
  static size_t PlainAscii(const char* p, const char* end) {
    const char* const limit = p + std::min(static_cast<size_t>(end - p), kTextPollBytes);
    const size_t run = AsciiRun(p, limit);
    return run != 0 && MayCombine(p + run, end) ? run - 1 : run;
  }

  // Returns the ready form of the two-byte character at `p`, if it has one and does not combine with what follows.
  const ShortForm* FindShortForm(const char* p, const char* end) const {
    const auto lead = static_cast<uint8_t>(*p);
    if (short_forms_ == nullptr || lead < 0xC2 || lead > 0xC5 || end - p < 2) return nullptr;
    const auto second = static_cast<uint8_t>(p[1]);
    if ((second & 0xC0) != 0x80 || MayCombine(p + 2, end)) return nullptr;
    const ShortForm& form = (*short_forms_)[(lead - 0xC2u) << 6 | (second & 0x3Fu)];
    return form.size != 0 ? &form : nullptr;
  }

  void AppendAscii(const char* p, size_t size) {
    if (form_ == Form::kComposed) {
      out_.append(p, size);
      return;
    }
    if (form_ != Form::kIdentity) return AppendLowerAscii(p, size, out_);
    for (const char* const end = p + size; p < end;) {
      const char* word = p;
      while (word < end && IsSpace(static_cast<uint8_t>(*word))) ++word;
      pending_space_ |= word != p;
      p = word;
      while (p < end && !IsSpace(static_cast<uint8_t>(*p))) ++p;
      if (p == word) return;
      AppendPendingSpace();
      AppendLowerAscii(word, static_cast<size_t>(p - word), out_);
    }
  }

  // Takes one code point of the input by the long way.
  void Read(char32_t c) {
    utf8proc_int32_t parts[kMaxDecomposition];
    const int compat = form_ == Form::kIdentity ? UTF8PROC_COMPAT : 0;
    const size_t n = Decompose(c, UTF8PROC_DECOMPOSE | UTF8PROC_IGNORE | compat, parts);
    for (size_t i = 0; i < n; ++i) {
      const auto part = static_cast<char32_t>(parts[i]);
      if (form_ == Form::kIdentity) {
        ReadForIdentity(part);
      } else if (form_ == Form::kComposed) {
        AddToCluster(part, *utf8proc_get_property(parts[i]));
      } else {
        ReadForTerms(part);
      }
    }
  }

  static size_t Decompose(char32_t c, int options, utf8proc_int32_t* parts) {
    int last_boundclass = 0;
    const utf8proc_ssize_t n =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, kMaxDecomposition,
                                static_cast<utf8proc_option_t>(options | UTF8PROC_STABLE), &last_boundclass);
    if (n >= 0 && n <= static_cast<utf8proc_ssize_t>(kMaxDecomposition)) return static_cast<size_t>(n);
    parts[0] = static_cast<utf8proc_int32_t>(kReplacementCharacter);  // cannot happen with a scalar value
    return 1;
  }

  // A decomposed character for terms: lower case; its accents go if all accents go.
  void ReadForTerms(char32_t c) {
    c = static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
    if (c == 0x3C2) c = 0x3C3;  // final sigma: a word has one spelling, also when it was typed in capitals
    const utf8proc_property_t& property = *utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
    if (form_ == Form::kLowerUnicode && property.combining_class != 0) return;
    AddToCluster(c, property);
  }

  // A decomposed character for the identity: accents of vowels go, then the case is folded (which may expand: ß, ss).
  void ReadForIdentity(char32_t c) {
    if (c == 0x345) return;  // iota subscript: an accent by its place, but case folding would make it a letter
    const utf8proc_property_t& own = *utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
    if (own.combining_class == 0) {
      after_vowel_ = IsPlainVowel(c);
    } else if (after_vowel_) {
      return;
    }
    utf8proc_int32_t folded[kMaxDecomposition];
    const size_t n = Decompose(c, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD, folded);
    for (size_t i = 0; i < n; ++i) {
      AddToCluster(static_cast<char32_t>(folded[i]), *utf8proc_get_property(folded[i]));
    }
  }

  void AddToCluster(char32_t c, const utf8proc_property_t& property) {
    if (cluster_size_ == kMaxCluster || StartsCluster(c, property)) EndCluster();
    // Canonical ordering by insertion: a mark moves before marks of a higher class, never across a starter.
    const auto mark_class = static_cast<uint8_t>(property.combining_class);
    size_t at = cluster_size_++;
    for (; mark_class != 0 && at > 0 && classes_[at - 1] > mark_class; --at) {
      cluster_[at] = cluster_[at - 1];
      classes_[at] = classes_[at - 1];
    }
    cluster_[at] = static_cast<utf8proc_int32_t>(c);
    classes_[at] = mark_class;
  }

  // Composes and writes the cluster at hand, if there is one.
  void EndCluster() {
    if (cluster_size_ == 0) return;
    auto size = static_cast<utf8proc_ssize_t>(cluster_size_);
    if (size > 1) {
      size =
          utf8proc_normalize_utf32(cluster_, size, static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
    }
    cluster_size_ = 0;
    for (utf8proc_ssize_t i = 0; i < size; ++i) Append(static_cast<char32_t>(cluster_[i]));
  }

  void Append(char32_t c) {
    if (form_ == Form::kLowerSpanish) c = FoldSpanish(c);
    if (form_ == Form::kIdentity) {
      if (IsSpace(c)) {
        pending_space_ = true;
        return;
      }
      AppendPendingSpace();
    }
    AppendUtf8(c, out_);
  }

  void AppendPlain(std::string_view bytes) {
    AppendPendingSpace();
    out_.append(bytes);
  }

  // Only the identity collapses white space; its `out_` starts empty, so the first space is dropped.
  void AppendPendingSpace() {
    if (pending_space_ && !out_.empty()) out_.push_back(' ');
    pending_space_ = false;
  }

  const Form form_;
  const ShortForms* const short_forms_;
  std::string& out_;
  bool pending_space_ = false;
  bool after_vowel_ = false;
  size_t cluster_size_ = 0;
  utf8proc_int32_t cluster_[kMaxCluster];
  uint8_t classes_[kMaxCluster];
};

// Makes the table of a form from the long way. A letter is put before each character so that white space, which the
// identity trims at the start, shows; characters whose form has white space or is empty are left to the long way.
ShortForms MakeShortForms(Form form) {
  ShortForms table;
  for (char32_t c = kShortFormsBegin; c < kShortFormsEnd; ++c) {
    std::string text = "x", result;
    AppendUtf8(c, text);
    Normaliser(form, nullptr, result).Run(text, Stop());
    ShortForm& entry = table[c - kShortFormsBegin];
    const size_t size = result.size() - 1;
    if (size > sizeof(entry.bytes) || result.find(' ') != std::string::npos) continue;
    entry.size = static_cast<uint8_t>(size);
    std::memcpy(entry.bytes, result.data() + 1, size);
  }
  return table;
}

// Returns the table of a form, made at its first use.
template <Form form>
const ShortForms* ShortFormsOf() {
  static const ShortForms table = MakeShortForms(form);
  return &table;
}

}  // namespace

void NormaliseCase(std::string_view utf8, AccentFolding folding, const Stop& stop, std::string& out) {
  switch (folding) {
    case AccentFolding::kNone:
      return Normaliser(Form::kLower, ShortFormsOf<Form::kLower>(), out).Run(utf8, stop);
    case AccentFolding::kSpanish:
      return Normaliser(Form::kLowerSpanish, ShortFormsOf<Form::kLowerSpanish>(), out).Run(utf8, stop);
    case AccentFolding::kUnicode:
      return Normaliser(Form::kLowerUnicode, ShortFormsOf<Form::kLowerUnicode>(), out).Run(utf8, stop);
  }
  throw Error(ErrorCode::kInternal, "unknown accent folding");
}

void ComposeText(std::string_view utf8, const Stop& stop, std::string& out) {
  Normaliser(Form::kComposed, ShortFormsOf<Form::kComposed>(), out).Run(utf8, stop);
}

std::string IdentityText(std::string_view utf8, const Stop& stop) {
  std::string out;
  out.reserve(utf8.size());
  Normaliser(Form::kIdentity, ShortFormsOf<Form::kIdentity>(), out).Run(utf8, stop);
  return out;
}

TextKey KeyOfText(std::string_view utf8, const Stop& stop) { return Hash128(IdentityText(utf8, stop)); }

}  // namespace retrain

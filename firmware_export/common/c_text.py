"""Text for C and C++ compilers: identifiers, strings, arrays, comments."""

import re
import textwrap
from collections.abc import Iterator

from firmware_export.common import defaults
from firmware_export.common.errors import UserError

_BYTES_A_LINE = 12  # as in the arrays that TFLM generates


_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class co_await
co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do
double dynamic_cast else enum explicit export extern false float for friend goto if inline int long main mutable
namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast
requires return short signed sizeof static static_assert static_cast std struct switch template tflite this
thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor
xor_eq
"""


# Macros and functions of the standard headers, as far as `_RESERVED_KINDS` does not match them.
_OF_THE_LIBRARY = """
EOF EXIT_FAILURE EXIT_SUCCESS FILENAME_MAX FOPEN_MAX BUFSIZ CHAR_BIT CLOCKS_PER_SEC HUGE_VAL HUGE_VALF HUGE_VALL I
INFINITY L_tmpnam MB_CUR_MAX MB_LEN_MAX NAN NDEBUG NULL ONCE_FLAG_INIT RAND_MAX SEEK_CUR SEEK_END SEEK_SET TMP_MAX
TSS_DTOR_ITERATIONS WEOF acos and and_eq asin assert atan bitand bitor bool ceil compl complex cos errno exp fabs false
floor fmod frexp imaginary kill_dependency ldexp linux log log10 main math_errhandling modf noreturn not not_eq
offsetof or or_eq pow setjmp sin sinh cosh sqrt static_assert stderr stdin stdout tan tanh thread_local true unix
va_arg va_copy va_end va_start va_list xor xor_eq abort abs atexit atof atoi atol bsearch calloc div exit fclose fopen
fputc fputs fread free fwrite getc getchar getenv gets labs malloc memchr memcmp memcpy memmove memset perror printf
putc putchar puts qsort raise rand realloc remove rename scanf signal snprintf sprintf srand sscanf strcat strchr strcmp
strcpy strlen strncmp strncpy strtol system time tolower toupper vprintf size_t ssize_t ptrdiff_t nullptr_t wint_t i386
MATH_ERREXCEPT MATH_ERRNO acosh asinh atan2 atanh carg cbrt cimag conj copysign cproj creal erf erfc exp2 expm1 fdim
fma fmax fmin hypot ilogb lgamma llrint llround log1p log2 logb lrint lround nearbyint nextafter nexttoward remainder
remquo rint round scalbln scalbn tgamma trunc
"""

_RESERVED = frozenset([*_KEYWORDS.split(), *_OF_THE_LIBRARY.split()])

# The standards reserve names of these kinds for headers.
_RESERVED_KINDS = re.compile(
    r"E[A-Z0-9]\w*|SIG[A-Z_]\w*|LC_[A-Z]\w*|FE_[A-Z]\w*|FP_[A-Z]\w*|(PRI|SCN)[a-zX]\w*|ATOMIC_[A-Z]\w*|TIME_[A-Z]\w*|"
    r"(FLT|DBL|LDBL|DECIMAL)_\w+|FLT\d+X?_\w+|(S?CHAR|UCHAR|WCHAR|WINT|U?SHRT|U?INT|U?LONG|U?LLONG|U?INT(_LEAST|_FAST)?\d+|"
    r"U?INT(PTR|MAX)|PTRDIFF|SIZE|SIG_ATOMIC)_(MIN|MAX|WIDTH|C)|U?INT(\d+|MAX)_C|M_[A-Z0-9_]+|CMPLX[FL]?|is(alpha|alnum|blank|"
    r"cntrl|digit|graph|lower|print|punct|space|upper|xdigit|finite|greater|greaterequal|inf|less|lessequal|"
    r"lessgreater|nan|normal|unordered)|fpclassify|signbit|u?int(_least|_fast)?\d+_t|u?int(ptr|max)_t|atomic_\w+|"
    r"memory_order\w*"
)


def check_symbol(symbol: str) -> None:
    """Refuse a name that a C++ variable cannot have.

    Raises:
        UserError: the name is not a C identifier, is a keyword, or is reserved for the compiler.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", symbol) or symbol in _KEYWORDS.split():
        raise UserError(
            f"symbol {symbol!r} is not a C identifier: use letters, digits and _, such as {defaults.SYMBOL}"
        )
    if symbol in _OF_THE_LIBRARY.split() or _RESERVED_KINDS.fullmatch(symbol):
        raise UserError(f"symbol {symbol!r} is a name of the C library: choose another, such as {defaults.SYMBOL}")
    if symbol.startswith("_") or "__" in symbol:
        raise UserError(f"symbol {symbol!r} is reserved for the compiler: remove the leading or double underscore")


_ENGINE = "satkd_engine"
"""The prefix of the row engine's own names."""


def check_prefix(prefix: str) -> None:
    """Reject a prefix that gives names reserved in C or C++, or whose macros could equal those of another prefix.

    Raises:
        UserError: the prefix is not a letter followed by letters, digits and single underscores, all in lower case, or
            it is that of the row engine's own names.
    """
    if prefix == _ENGINE:
        raise UserError(f"engine prefix {prefix!r} is that of the engine's own names: give another, such as cloud")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", prefix):
        raise UserError(
            f"engine prefix {prefix!r} is not a valid start of C identifiers: use lower-case letters, digits and "
            f"single _ between them, such as {defaults.ENGINE_PREFIX}"
        )


def namespace(symbol: str) -> str:
    """The C++ namespace for an array's name.

    >>> namespace("g_student_model_data"), namespace("weights")
    ('student_model', 'weights_info')
    """
    stem = symbol.removeprefix("g_").removesuffix("_data")
    usable = stem != symbol and stem not in _RESERVED and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", stem)
    return stem if usable else symbol + "_info"


def c_string(text: str) -> str:
    r"""A C string literal. Bytes outside printable ASCII are written as three octal digits, which end unambiguously.

    >>> print(c_string('say "é"'))
    "say \"\303\251\""
    """
    return '"' + "".join(_escaped(byte) for byte in text.encode()) + '"'


def _escaped(byte: int) -> str:
    character = chr(byte)
    if character in '"\\?':  # ?: some compilers still replace trigraphs
        return "\\" + character
    return character if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def hex_lines(content: bytes) -> Iterator[str]:
    """The bytes as C literals, twelve per line, without a trailing comma.

    >>> list(hex_lines(bytes(range(9, 23))))[-1]
    '0x15, 0x16'
    """
    for start in range(0, len(content), _BYTES_A_LINE):
        yield ", ".join(f"0x{byte:02x}" for byte in content[start : start + _BYTES_A_LINE])


def paragraph(text: str) -> str:
    """`text` as a C++ comment of at most 100 columns, without characters that could end the comment."""
    return textwrap.fill(as_comment(text), 100, initial_indent="// ", subsequent_indent="//   ", break_long_words=False)


def as_comment(text: str) -> str:
    """`text` with `?` for every character that could end or extend a `//` comment."""
    # A line break would end the comment, and a backslash at its end would continue it on the next line.
    return "".join(c if c.isprintable() and c != "\\" else "?" for c in text)

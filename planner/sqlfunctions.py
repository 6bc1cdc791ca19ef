"""Which SQL functions an agent may call, as data.

Everything not named here is refused. Left out on purpose: whatever reads files, settings, the
clock, random numbers, sequences or the catalog, and functions that take SQL text or the name of
another function as a string. Names are DuckDB's, in lower case.
"""

_OPERATORS = """
    + - * / // % ^ ** & | ~ << >> || !__postfix @ ^@ && @> <@ ->>
    ~~ !~~ ~~* !~~* ~~~ like_escape not_like_escape ilike_escape not_ilike_escape
"""

_NUMBERS = """
    abs acos acosh asin asinh atan atan2 atanh bit_count cbrt ceil ceiling cos cosh cot degrees
    add subtract multiply divide even exp factorial fdiv floor fmod gamma gcd
    greatest_common_divisor isfinite isinf isnan lcm least_common_multiple lgamma ln log log10
    log2 mod nextafter pi pow power radians round round_even roundbankers sign signbit sin sinh
    sqrt tan tanh trunc xor
"""

_TEXT = """
    array_to_string ascii bar base64 bin bit_length char_length character_length chr concat
    concat_ws contains damerau_levenshtein decode editdist3 encode ends_with format from_base64
    from_binary from_hex hamming hash hex ilike_escape instr jaccard jaro_similarity
    jaro_winkler_similarity lcase left left_grapheme len length length_grapheme levenshtein lower
    lpad ltrim md5 md5_number md5_number_lower md5_number_upper mismatches nfc_normalize
    octet_length ord overlay parse_dirname parse_dirpath parse_filename position prefix printf
    regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches
    regexp_replace regexp_split_to_array repeat replace reverse right right_grapheme rpad rtrim
    sha1 sha256 split split_part starts_with str_split str_split_regex string_split
    string_split_regex string_to_array strip_accents strlen strpos substr substring
    substring_grapheme suffix to_base64 to_binary to_hex translate trim ucase unbin unhex unicode
    upper url_decode url_encode
"""

_TIMES = """
    age century date_add date_diff date_part date_sub date_trunc datediff datepart datesub
    datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms
    epoch_ns epoch_us era hour isodow isoyear julian last_day make_date make_time make_timestamp
    make_timestamp_ms make_timestamp_ns make_timestamptz microsecond millennium millisecond
    minute month monthname nanosecond normalized_interval quarter second strftime strptime
    time_bucket timezone timezone_hour timezone_minute to_centuries to_days to_decades to_hours
    to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds
    to_timestamp to_weeks to_years try_strptime week weekday weekofyear year yearweek
"""

_GENERAL = """
    equi_width_bins greatest is_histogram_other_bin least nullif typeof
    enum_code enum_first enum_last enum_range enum_range_boundary
"""

_NESTED = """
    apply array_append array_apply array_cat array_concat array_contains array_cosine_distance
    array_cosine_similarity array_distance array_distinct array_dot_product array_extract
    array_filter array_grade_up array_has array_has_all array_has_any array_indexof
    array_inner_product array_intersect array_length array_pop_back array_pop_front
    array_position array_prepend array_push_back array_push_front array_reduce array_resize
    array_reverse array_reverse_sort array_select array_slice array_sort array_transform
    array_unique array_value array_where array_zip cardinality element_at filter flatten
    generate_series grade_up list_any_value list_append list_apply list_approx_count_distinct
    list_avg list_bit_and list_bit_or list_bit_xor list_bool_and list_bool_or list_cat
    list_concat list_contains list_cosine_distance list_cosine_similarity list_count
    list_distance list_distinct list_dot_product list_element list_entropy list_extract
    list_filter list_first list_grade_up list_has list_has_all list_has_any list_histogram
    list_indexof list_inner_product list_intersect list_kurtosis list_kurtosis_pop list_last
    list_mad list_max list_median list_min list_mode list_pack list_position list_prepend
    list_product list_reduce list_resize list_reverse list_reverse_sort list_select list_sem
    list_skewness list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum
    list_transform list_unique list_value list_var_pop list_var_samp list_where list_zip map
    map_concat map_contains map_contains_entry map_contains_value map_entries map_extract
    map_extract_value map_from_entries map_keys map_values range reduce row struct_concat
    struct_contains struct_extract struct_extract_at struct_has struct_indexof struct_insert
    struct_keys struct_pack struct_position struct_update struct_values
    from_json from_json_strict json_array json_array_length json_contains json_exists
    json_extract json_extract_path json_extract_path_text json_extract_string json_keys
    json_merge_patch json_object json_quote json_structure json_transform json_transform_strict
    json_type json_valid json_value row_to_json to_json array_to_json
"""

SCALAR = frozenset(" ".join((_OPERATORS, _NUMBERS, _TEXT, _TIMES, _GENERAL, _NESTED)).split())

# Functions whose result is about as long as their arguments; for constant arguments these may be
# stacked, others only so far (see `planner.sqlconstants`).
PLAIN = frozenset(" ".join((_OPERATORS, _NUMBERS, _TIMES)).split()) | frozenset(
    "greatest least nullif list_value array_value list_pack struct_pack row map".split()
)

# Functions that multiply their input.
GROWING = frozenset(
    """
    repeat lpad rpad range generate_series list_resize array_resize bar equi_width_bins format
    printf replace regexp_replace translate
    """.split()
)

# Aggregates whose value depends on the order of their rows (beyond the last bits of a sum);
# they are given row order where the expression asks for none.
ORDERED_AGGREGATES = frozenset(
    """
    any_value arbitrary arg_max arg_max_null arg_max_nulls_last arg_min arg_min_null
    arg_min_nulls_last argmax argmin array_agg first group_concat last list listagg max_by min_by
    mode string_agg
    """.split()
)

AGGREGATE = ORDERED_AGGREGATES | frozenset(
    """
    approx_count_distinct approx_quantile avg bit_and bit_or bit_xor bool_and bool_or corr count
    count_if count_star countif covar_pop covar_samp entropy favg fsum geomean geometric_mean
    histogram kahan_sum kurtosis kurtosis_pop mad max mean median min product quantile
    quantile_cont quantile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope
    regr_sxx regr_sxy regr_syy sem skewness stddev stddev_pop stddev_samp sum sumkahan var_pop
    var_samp variance wavg weighted_avg
    """.split()
)

WINDOW = frozenset(
    """
    cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank
    rank_dense row_number
    """.split()
)

# Window functions that look at a position: without ORDER BY they follow the row order, and ties
# are broken by it.
POSITIONAL_WINDOW = frozenset("row_number lag lead ntile first_value fill".split())
# Peers are the point of these; no tie-break may be added.
RANKING_WINDOW = frozenset("rank dense_rank rank_dense percent_rank cume_dist".split())

# Result size grows with this argument (position), which must be a literal up to MAX_LITERAL.
SIZED = {
    "repeat": (1,),
    "lpad": (1,),
    "rpad": (1,),
    "range": (0, 1, 2),
    "generate_series": (0, 1, 2),
    "list_resize": (1,),
    "array_resize": (1,),
    "bar": (3,),
    "equi_width_bins": (2,),
}
MAX_LITERAL = 1_000_000

TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series"})

# More than one argument is needed where the short form reads the clock.
MIN_ARGUMENTS = {"age": 2}

# Bare words that read the session where no column has the name.
SESSION_WORDS = frozenset(
    """
    current_catalog current_date current_role current_schema current_time current_timestamp
    current_user localtime localtimestamp session_user user
    """.split()
)

IMPURE = SESSION_WORDS | frozenset(
    """
    ago now today random setseed uuid uuidv4 uuidv7 gen_random_uuid get_current_time
    get_current_timestamp transaction_timestamp current_localtime current_localtimestamp
    reservoir_quantile nextval currval txid_current
    """.split()
)

# What to write instead of names known from other systems.
INSTEAD = {
    "log1p": "ln(1 + x)",
    "expm1": "exp(x) - 1",
    "ifnull": "coalesce(a, b)",
    "isnull": "x IS NULL",
    "nvl": "coalesce(a, b)",
    "where": "CASE WHEN condition THEN a ELSE b END",
    "iff": "CASE WHEN condition THEN a ELSE b END",
    "clip": "least(greatest(x, low), high)",
    "nunique": "count(DISTINCT x)",
    "std": "stddev(x)",
    "var": "variance(x)",
    "to_date": "strptime(text, '%Y-%m-%d')",
    "to_datetime": "strptime(text, '%Y-%m-%d')",
    "shift": "lag(x)",
    "diff": "x - lag(x)",
    "size": "count(*)",
    "sampling": 'a {"sample": ...} step',
    "random": 'a {"sample": ..., "seed": ...} step',
}

# Scalar functions that are undefined on part of the number line: there they give NULL, as NaN
# would be missing. `{x}` is the last argument, which also stands first where there is one only.
DOMAIN = {
    "ln": "{x} > 0",
    "log": "{x} > 0",
    "log2": "{x} > 0",
    "log10": "{x} > 0",
    "sqrt": "{x} >= 0",
    "acos": "abs({x}) <= 1",
    "asin": "abs({x}) <= 1",
    "atanh": "abs({x}) <= 1",
    "cot": "{x} <> 0",
    "gamma": "{x} <> 0",
    "lgamma": "{x} <> 0",
}

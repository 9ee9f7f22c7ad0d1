/*
 * TraceQL, the whole language: selectors, spanset operators, pipelines, metrics.
 *
 * The rules give shape and precedence only. What a function takes, which operator joins which
 * kinds of operand and which stage may follow which is decided by QueryBuilder and Typing, so
 * that an error can name the construct instead of listing tokens.
 *
 * Every level of binary operators is one rule with a loop, so a chain of ten thousand terms is
 * flat; only brackets, '!', '-' and '^' recurse, and QueryParser bounds those before parsing.
 */
grammar TraceQl;

query
    : pipeline hints? EOF
    ;

pipeline
    : stage (PIPE stage)*
    ;

// Precedence, low to high: && and || (one level), structural operators and comparisons (one
// level), + -, * / %, ^.
stage
    : stageRelation (op+=(AND | OR) stageRelation)*
    ;

stageRelation
    : stageSum (op+=relationOperator stageSum)*
    ;

relationOperator
    : EQ | NEQ | LT | LTE | GT | GTE | DESCENDANT | ANCESTOR | SIBLING
    | NOT_CHILD | NOT_PARENT | NOT_DESCENDANT | NOT_ANCESTOR | NOT_MATCH
    | UNION_CHILD | UNION_PARENT | UNION_DESCENDANT | UNION_ANCESTOR | UNION_SIBLING
    ;

stageSum
    : stageProduct (op+=(ADD | SUB) stageProduct)*
    ;

stageProduct
    : stagePower (op+=(MUL | DIV | MOD) stagePower)*
    ;

stagePower
    : stagePrimary (POW stagePower)?
    ;

stagePrimary
    : spansetFilter
    | OPEN_PAREN pipeline CLOSE_PAREN
    | call
    | SUB stagePrimary
    | literal
    ;

spansetFilter
    : OPEN_BRACE field? CLOSE_BRACE
    ;

// Aggregates, by(), coalesce(), select(), metrics and their second stage alike.
call
    : (IDENTIFIER | BY) OPEN_PAREN (argument (COMMA argument)*)? CLOSE_PAREN grouping?
    ;

argument
    : field
    | spansetFilter
    ;

grouping
    : BY OPEN_PAREN (field (COMMA field)*)? CLOSE_PAREN
    ;

hints
    : WITH OPEN_PAREN (hint (COMMA hint)*)? CLOSE_PAREN
    ;

hint
    : IDENTIFIER EQ SUB? literal
    ;

// Precedence, low to high: && and || (one level), comparisons (one level), + -, !, * / %, ^,
// unary -.
field
    : comparison (op+=(AND | OR) comparison)*
    ;

comparison
    : sum (op+=(EQ | NEQ | LT | LTE | GT | GTE | MATCH | NOT_MATCH) sum)*
    ;

sum
    : inversion (op+=(ADD | SUB) inversion)*
    ;

inversion
    : NOT inversion
    | product
    ;

product
    : power (op+=(MUL | DIV | MOD) power)*
    ;

power
    : unary (POW power)?
    ;

unary
    : SUB unary
    | primary
    ;

primary
    : OPEN_PAREN field CLOSE_PAREN
    | literal
    | ATTRIBUTE
    | SCOPED_INTRINSIC
    ;

// An identifier is a keyword value (true, nil, error, server, minInt ...) or an intrinsic.
literal
    : STRING
    | RAW_STRING
    | INTEGER
    | FLOAT
    | DURATION
    | IDENTIFIER
    ;

OPEN_BRACE : '{' ;
CLOSE_BRACE : '}' ;
OPEN_PAREN : '(' ;
CLOSE_PAREN : ')' ;
COMMA : ',' ;

AND : '&&' ;
OR : '||' ;
PIPE : '|' ;

UNION_DESCENDANT : '&>>' ;
UNION_ANCESTOR : '&<<' ;
UNION_CHILD : '&>' ;
UNION_PARENT : '&<' ;
UNION_SIBLING : '&~' ;
NOT_DESCENDANT : '!>>' ;
NOT_ANCESTOR : '!<<' ;
NOT_CHILD : '!>' ;
NOT_PARENT : '!<' ;
// Between fields "does not match", between spansets "not sibling".
NOT_MATCH : '!~' ;
DESCENDANT : '>>' ;
ANCESTOR : '<<' ;
SIBLING : '~' ;
NEQ : '!=' ;
MATCH : '=~' ;
EQ : '=' ;
LTE : '<=' ;
LT : '<' ;
GTE : '>=' ;
GT : '>' ;

ADD : '+' ;
SUB : '-' ;
MUL : '*' ;
DIV : '/' ;
MOD : '%' ;
POW : '^' ;
NOT : '!' ;

STRING : '"' STRING_PART* '"' ;
RAW_STRING : '`' ~[`]* '`' ;
UNTERMINATED_STRING : '"' STRING_PART* | '`' ~[`]* ;
fragment STRING_PART : ~["\\\r\n] | '\\' ~[\r\n] ;

DURATION : (NUMBER ('ns' | 'us' | 'µs' | 'μs' | 'ms' | 's' | 'm' | 'h' | 'd' | 'w' | 'y'))+ ;
INTEGER : DIGIT+ ;
FLOAT : DIGIT* '.' DIGIT+ EXPONENT? | DIGIT+ '.'? EXPONENT | DIGIT+ '.' ;
fragment NUMBER : DIGIT+ ('.' DIGIT*)? | '.' DIGIT+ ;
fragment EXPONENT : [eE] [+-]? DIGIT+ ;
fragment DIGIT : [0-9] ;

// A name ends at white space, a bracket, a comma or one of = ~ ! < > & | ^; other signs such as
// . - + * / % : belong to it. Quoted parts may hold anything.
ATTRIBUTE : SCOPE? '.' NAME_PART+ ;
fragment SCOPE
    : ('parent.')? ('span' | 'resource' | 'event' | 'link' | 'instrumentation')
    | 'parent'
    ;
fragment NAME_PART
    : ~[\p{White_Space}{}()=~!<>&|^,"`]
    | '"' ('\\' . | ~["\\])* '"'
    ;

SCOPED_INTRINSIC
    : ('span' | 'trace' | 'event' | 'link' | 'instrumentation') ':' [A-Za-z]+
    ;

BY : 'by' ;
WITH : 'with' ;
IDENTIFIER : [A-Za-z_] [A-Za-z0-9_]* ;

LINE_COMMENT : '//' ~[\r\n]* -> skip ;
BLOCK_COMMENT : '/*' .*? '*/' -> skip ;
WHITE_SPACE : [\p{White_Space}]+ -> skip ;

// Whatever is left becomes a token too, so that the parser reports it with its place.
UNKNOWN : . ;

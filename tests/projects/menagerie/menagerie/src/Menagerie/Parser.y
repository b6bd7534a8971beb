{
module Menagerie.Parser (calculate) where

import Menagerie.Lexer (Token (..), tokens)
}

%name parse
%tokentype { Token }
%error { parseError }

%token
  number { Number $$ }
  '+'    { Symbol '+' }
  '*'    { Symbol '*' }
  '('    { Symbol '(' }
  ')'    { Symbol ')' }

%left '+'
%left '*'

%%

Sum : Sum '+' Sum { $1 + $3 }
    | Sum '*' Sum { $1 * $3 }
    | '(' Sum ')' { $2 }
    | number      { $1 }

{
parseError :: [Token] -> a
parseError rest = error ("cannot parse " ++ show rest)

calculate :: String -> Integer
calculate = parse . tokens
}

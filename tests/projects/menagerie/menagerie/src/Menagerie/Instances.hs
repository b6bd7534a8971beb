{-# LANGUAGE DeriveAnyClass #-}
{-# LANGUAGE DeriveDataTypeable #-}
{-# LANGUAGE DeriveGeneric #-}
{-# LANGUAGE DeriveTraversable #-}
{-# LANGUAGE DerivingStrategies #-}
{-# LANGUAGE GADTs #-}
{-# LANGUAGE GeneralizedNewtypeDeriving #-}
{-# LANGUAGE StandaloneDeriving #-}

-- | Much generated code: instances of everything.
module Menagerie.Instances (instances, instancesAreLawful) where

import Data.Data (Data, dataTypeOf, gmapQ, toConstr)
import Data.Foldable (toList)
import Data.Int (Int16, Int32, Int64, Int8)
import Data.Ix (Ix, inRange, index, range)
import qualified Data.Map.Strict as Map
import Data.Word (Word16, Word32, Word64, Word8)
import GHC.Generics (Generic, from)

data Order = Carnivora | Cetacea | Chiroptera | Primates | Rodentia | Proboscidea | Monotremata | Sirenia
  deriving (Bounded, Data, Enum, Eq, Generic, Ix, Ord, Read, Show)

data Widths = Widths
  { w8 :: !Word8, w16 :: !Word16, w32 :: !Word32, w64 :: !Word64
  , i8 :: !Int8, i16 :: !Int16, i32 :: !Int32, i64 :: !Int64
  , flt :: {-# UNPACK #-} !Float, dbl :: {-# UNPACK #-} !Double, chr :: !Char, int :: Int, nat :: Word
  }
  deriving (Eq, Generic, Ord, Read, Show)

data Animal = Animal
  { name :: String, order :: Order, legs :: Maybe Int, mass :: Double, genome :: Integer, widths :: Widths }
  deriving (Eq, Generic, Ord, Read, Show)

data Tree a = Leaf | Node {left :: Tree a, value :: a, right :: Tree a}
  deriving (Data, Eq, Foldable, Functor, Generic, Ord, Read, Show, Traversable)

infixr 5 :>, `Then`

data Chain a b = End b | a :> Chain a b | a `Then` (a, b)
  deriving (Eq, Foldable, Functor, Ord, Read, Show, Traversable)

newtype Count = Count Int
  deriving stock (Generic, Read, Show)
  deriving newtype (Bounded, Enum, Eq, Integral, Num, Ord, Real)

class Noise a where
  noise :: a -> String
  default_ :: a -> Int
  default_ = length . noise
  noise _ = "..."

data Silent = Silent
  deriving stock (Eq, Show)
  deriving anyclass Noise

data Expr a where
  Number :: Int -> Expr Int
  Truth :: Bool -> Expr Bool
  Plus :: Expr Int -> Expr Int -> Expr Int
  Less :: Expr Int -> Expr Int -> Expr Bool
  If :: Expr Bool -> Expr a -> Expr a -> Expr a

deriving instance Show (Expr a)

eval :: Expr a -> a
eval (Number n) = n
eval (Truth b) = b
eval (Plus a b) = eval a + eval b
eval (Less a b) = eval a < eval b
eval (If c a b) = if eval c then eval a else eval b

animals :: [Animal]
animals =
  [ Animal "Okapi" Cetacea (Just 4) 250.5 (2 ^ (200 :: Int)) smallest
  , Animal "Ähre\1234\"\\" Rodentia Nothing 1.0e-3 (-1) largest
  , Animal "" maxBound (Just (-1)) (1 / 0) 0 largest{chr = '\DEL', flt = -0.0}
  ]

smallest, largest :: Widths
smallest = Widths minBound minBound minBound minBound minBound minBound minBound minBound (-1.5) 1.0e-308 minBound minBound minBound
largest = Widths maxBound maxBound maxBound maxBound maxBound maxBound maxBound maxBound 3.4028235e38 1.7976931348623157e308 maxBound maxBound maxBound

tree :: [a] -> Tree a
tree [] = Leaf
tree (x : xs) = let (a, b) = splitAt (length xs `div` 2) xs in Node (tree a) x (tree b)

chain :: Chain Int String
chain = 1 :> (-2) :> 3 `Then` (4, "five")

instances :: [String]
instances =
  [ show animals
  , show (tree animals == fmap id (tree animals), compare (animals !! 0) (animals !! 1), maximum animals == head animals)
  , show (sum (tree [1 .. 100 :: Int]), toList (fmap (* 2) (tree [1 .. 10 :: Int])))
  , show (traverse (\x -> if x > 0 then Just (show x) else Nothing) (tree [3, 2, 1 :: Int]))
  , show chain
  , show (fmap length chain)
  , show [(o, fromEnum o, index (Cetacea, Sirenia) o) | o <- range (Cetacea, Sirenia), inRange (Chiroptera, Sirenia) o]
  , show (dataTypeOf Carnivora, toConstr Rodentia, gmapQ toConstr (tree "ab"))
  , show (from Rodentia)
  , show (Count 3 + 4 * 5, [minBound .. minBound + 1 :: Count], toInteger (maxBound :: Count))
  , noise Silent ++ show (default_ Silent)
  , show (If (Less (Number 1) (Number 2)) (Plus (Number 40) (Number 2)) (Number 0))
  , show (eval (If (Less (Number 1) (Number 2)) (Plus (Number 40) (Number 2)) (Number 0)), eval (Truth True))
  , show (Map.toList (Map.fromListWith (++) [(order animal, [name animal]) | animal <- animals]))
  ]

-- | What is shown can be read; traversals keep the shape.
instancesAreLawful :: Bool
instancesAreLawful =
  read (show animals) == animals
    && read (show (tree animals)) == tree animals
    && read (show chain) == chain
    && traverse Just (tree "menagerie") == Just (tree "menagerie")
    && [minBound .. maxBound] == (read (show [minBound .. maxBound :: Order]) :: [Order])
    && minimum animals <= maximum animals
